/** One look into the record: who, from where, at what, why, and with what result. */
import { itemsByKey } from "../../app/store.ts";
import { count, fill, say, time, words } from "../../i18n/index.ts";
import type { Access, Party } from "../../vault/api.ts";
import { Icon } from "../../ui/Icon.tsx";
import { Chip, Go } from "../../ui/parts.tsx";

export function partyName(p: Party): string {
  if (p.kind === "member" || p.kind === "device") return p.name;
  return p.kind === "patient" ? words.value.common.you : words.value.activity.unknown;
}

/** A purpose in the person's language; one that is new here stays its code. */
export const purposeName = (code: string): string => (code in words.value.purposes ? words.value.purposes[code as keyof typeof words.value.purposes] : code);

const refused = (r: Access) => r.outcome !== "allowed";

export function AccessRow({ row: r, seen }: { row: Access; seen?: boolean }) {
  const w = words.value.activity;
  const what = count(words.value.common.records, r.records);
  const where = r.organisation && r.organisation !== partyName(r.by) ? `${partyName(r.by)}, ${r.organisation}` : partyName(r.by);
  return (
    <li class="row access">
      <span class={refused(r) ? "row-icon bad" : "row-icon"}>
        <Icon name={refused(r) ? "cross" : r.machine ? "gear" : r.by.kind === "device" ? "watch" : "person"} />
      </span>
      <span class="row-text">
        <span class="row-title">
          <bdi>{r.machine ? w.machine : r.person || (r.by.kind === "member" ? w.nobody : partyName(r.by))}</bdi>
          {r.role && !r.machine && (
            <span class="role">
              <bdi>{r.role}</bdi>
            </span>
          )}
        </span>
        <span class="row-more">
          <bdi>{where}</bdi>
        </span>
        <span>{say(refused(r) ? w.tried : r.further ? w.further : w.read, { what, section: words.value.sections[r.section] })}</span>
        <span class="row-more">
          {r.reason ? <bdi>{fill(w.reason, { reason: r.reason })}</bdi> : null} {r.purpose ? fill(w.for, { purpose: purposeName(r.purpose) }) : w.unexplained}
        </span>
        <span class="row-chips">
          {r.purpose === "ETREAT" && (
            <Chip tone="bad" icon="alert">
              {w.break}
            </Chip>
          )}
          {refused(r) ? (
            <Chip tone="bad" icon="cross">
              {w.denied}: {words.value.reasons[r.outcome]}
            </Chip>
          ) : (
            <Chip tone="calm" icon="check">
              {w.allowed}
            </Chip>
          )}
          {r.count > 1 && <Chip>{fill(w.count, { times: count(words.value.common.times, r.count) })}</Chip>}
          <time class="row-more" dateTime={new Date(r.at).toISOString()}>
            {time(r.at, "minute")}
          </time>
        </span>
        {seen && (
          <details>
            <summary>{w.seen}</summary>
            <Seen row={r} />
          </details>
        )}
      </span>
    </li>
  );
}

/** What was seen, as far as it opened here. */
function Seen({ row: r }: { row: Access }) {
  const w = words.value.activity;
  const seen = r.resources.flatMap((k) => itemsByKey.value.get(k) ?? []);
  return (
    <>
      <p class="quiet">{fill(w.entry, { entry: String(r.entry), block: String(r.block) })}</p>
      {seen.length === 0 ? (
        <p class="quiet">{w.seenNone}</p>
      ) : (
        <ul class="codes">
          {seen.map((i) => (
            <li key={i.key}>
              <Go to="/record/item" of={i.key}>
                <bdi>{i.title}</bdi>
              </Go>{" "}
              <bdi>{i.parts.length > 0 ? i.value : ""}</bdi> · {time(i.at)}
            </li>
          ))}
        </ul>
      )}
    </>
  );
}
