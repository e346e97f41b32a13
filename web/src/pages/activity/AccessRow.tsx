/** One look into the record: who, from where, at what, why, and with what result. */
import { useState } from "preact/hooks";
import { corrections, itemsByKey, settled, vault } from "../../app/store.ts";
import { count, fill, list, say, time, words } from "../../i18n/index.ts";
import { Icon } from "../../ui/Icon.tsx";
import { Button, Chip, Go } from "../../ui/parts.tsx";
import type { Access, Party } from "../../vault/api.ts";
import { type Look, recordsOf, sectionsIn, sectionsOf, toReview } from "./looks.ts";
import { Unrecognised } from "./Unrecognised.tsx";

export function partyName(p: Party): string {
  if (p.kind === "member" || p.kind === "device" || p.kind === "proxy") return p.name;
  if (p.kind === "link") return p.name ? fill(words.value.codes.by, { label: p.name }) : words.value.codes.byNone;
  return p.kind === "patient" ? words.value.common.you : words.value.activity.unknown;
}

/** A purpose in the person's language; one that is new here stays its code. */
export const purposeName = (code: string): string =>
  code in words.value.purposes ? words.value.purposes[code as keyof typeof words.value.purposes] : code;

const refused = (r: Access) => r.outcome !== "allowed";

export function AccessRow({ look, seen }: { look: Look; seen?: boolean }) {
  const w = words.value.activity;
  const r = look.first;
  const what = count(words.value.common.records, recordsOf(look));
  const where =
    r.by.kind === "proxy"
      ? words.value.family.forYou
      : r.organisation && r.organisation !== partyName(r.by)
        ? `${partyName(r.by)}, ${r.organisation}`
        : partyName(r.by);
  const wrong = r.link && r.outcome === "no-such-grant";
  const times = look.rows.reduce((n, x) => n + x.count, 0) - look.rows.length + 1;
  return (
    <li class="row access">
      <span class={refused(r) ? "row-icon bad" : "row-icon"}>
        <Icon name={refused(r) ? "cross" : r.machine ? "gear" : r.by.kind === "device" ? "watch" : "person"} />
      </span>
      <div class="row-text">
        <p class="row-title">
          <bdi>
            {r.link && r.person
              ? fill(words.value.codes.said, { name: r.person })
              : r.machine
                ? w.machine
                : r.person || (r.by.kind === "member" ? w.nobody : partyName(r.by))}
          </bdi>
        </p>
        <p class="row-more">
          <bdi>{[r.machine ? "" : r.role, where].filter(Boolean).join(" · ")}</bdi>
        </p>
        <p>
          {say(wrong ? words.value.codes.tried : refused(r) ? w.tried : r.further ? w.further : w.read, {
            what,
            section: list(sectionsOf(look).map((s) => words.value.sections[s])),
          })}
        </p>
        {!(r.link && r.explained) && (
          <p class="row-more">
            {r.reason ? <bdi>{fill(w.reason, { reason: r.reason })}</bdi> : null}{" "}
            {r.purpose ? fill(w.for, { purpose: purposeName(r.purpose) }) : w.unexplained}
          </p>
        )}
        <p class="row-chips">
          {r.purpose === "ETREAT" && (
            <Chip tone="bad" icon="alert">
              {w.break}
            </Chip>
          )}
          {refused(r) ? (
            <Chip tone="bad" icon="cross">
              {w.denied}: {wrong ? words.value.codes.denied : words.value.reasons[r.outcome]}
            </Chip>
          ) : (
            <Chip tone="calm" icon="check">
              {w.allowed}
            </Chip>
          )}
          {r.kept && <Chip icon="lock">{words.value.erase.fromKept}</Chip>}
          {times > 1 && <Chip>{fill(w.count, { times: count(words.value.common.times, times) })}</Chip>}
          <time class="row-more" dateTime={new Date(r.at).toISOString()}>
            {time(r.at, "minute")}
          </time>
        </p>
        {seen && <Review look={look} />}
        {seen && r.by.kind === "member" && <Unrecognised look={look} />}
        {seen && (
          <details>
            <summary>{w.seen}</summary>
            {look.rows.map((x) => (
              <Seen key={x.id} row={x} />
            ))}
          </details>
        )}
      </div>
    </li>
  );
}

/** A look in an emergency: the person says that it was right, or asks below. */
function Review({ look }: { look: Look }) {
  const w = words.value.activity;
  const [busy, setBusy] = useState(false);
  if (look.rows.some((r) => r.reviewed))
    return (
      <p class="verified">
        <Icon name="check" />
        <span>{w.confirmed}</span>
      </p>
    );
  if (toReview(look.rows, new Set(corrections.value.map((c) => c.about))).length === 0) return null;
  const confirm = async () => {
    setBusy(true);
    await settled(w.confirmed, () => vault.review({ accesses: look.rows.map((r) => r.id) }));
    setBusy(false);
  };
  return (
    <>
      <p>{w.review}</p>
      <Button icon="check" busy={busy} onClick={() => void confirm()}>
        {w.confirm}
      </Button>
    </>
  );
}

const most = 12; // entries that are named; all of them are in the record

/** What was seen, as far as it opened here. */
function Seen({ row: r }: { row: Access }) {
  const w = words.value.activity;
  const seen = refused(r) ? [] : r.resources.flatMap((k) => itemsByKey.value.get(k) ?? []);
  return (
    <div class="seen">
      <p>
        <strong>{list(sectionsIn(r).map((s) => words.value.sections[s]))}</strong> ·{" "}
        {fill(w.entry, { entry: String(r.entry), block: String(r.block) })}
      </p>
      {refused(r) && <p class="row-more">{w.seenNone}</p>}
      <ul class="codes">
        {seen.slice(0, most).map((i) => (
          <li key={i.key}>
            <Go to="/record/item" of={i.key}>
              <bdi>{i.title}</bdi>
            </Go>{" "}
            <bdi>{i.parts.length > 0 ? i.value : ""}</bdi> · {time(i.at)}
          </li>
        ))}
      </ul>
      {seen.length > most && <p class="row-more">{count(words.value.record.moreIn, seen.length - most)}</p>}
    </div>
  );
}
