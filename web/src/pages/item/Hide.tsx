/** Hides an entry from one who may read the rest of its section, and shows it again. */
import { useState } from "preact/hooks";
import { grants, items, settled, vault } from "../../app/store.ts";
import type { Item } from "../../fhir/item.ts";
import { count, say, words } from "../../i18n/index.ts";
import { Icon } from "../../ui/Icon.tsx";
import { Button, Chip, Part } from "../../ui/parts.tsx";
import { Sheet } from "../../ui/Sheet.tsx";
import type { Grant } from "../../vault/api.ts";
import { partyName, purposeName } from "../activity/AccessRow.tsx";
import { live } from "../sharing/bundle.ts";

interface Reader {
  grant: Grant;
  sees: boolean; // any version of it
}

/** The versions' entries in the log where the current one is: what a grant of its section covers. */
const entriesOf = (i: Item): number[] =>
  i.row.versions
    .filter((v) => v.log === i.version.log)
    .map((v) => v.entry)
    .sort((a, b) => a - b);

function readers(i: Item): Reader[] {
  const entries = entriesOf(i);
  return (grants.value ?? [])
    .filter(
      (g) => live(g) && g.section === i.version.section && g.rights.includes("read") && (g.to.kind === "member" || g.to.kind === "proxy"),
    )
    .map((grant) => ({ grant, sees: entries.some((e) => grant.ranges.some((r) => r.from <= e && e < r.to)) }));
}

/** Other entries of the same sealed records: they can't be told apart from outside, and go along. */
function along(i: Item): Item[] {
  const own = new Set(entriesOf(i));
  return items.value.filter((x) => x.key !== i.key && x.version.log === i.version.log && own.has(x.version.entry));
}

export function Hide({ item: i }: { item: Item }) {
  const w = words.value.hide;
  const [asked, setAsked] = useState<Reader | null>(null);
  const all = readers(i);
  return (
    <Part title={w.title}>
      {all.length === 0 ? (
        <p class="card text">{w.nobody}</p>
      ) : (
        <ul class="card rows">
          {all.map((r) => (
            <li class="row" key={r.grant.id}>
              <span class="row-icon">
                <Icon name={r.sees ? "building" : "lock"} />
              </span>
              <span class="row-text">
                <span class="row-title">
                  <bdi>{partyName(r.grant.to)}</bdi>
                </span>
                <span class="row-more">{purposeName(r.grant.purpose)}</span>
                {!r.sees && <Chip icon="lock">{w.hidden}</Chip>}
              </span>
              <span class="row-end">
                <Button onClick={() => setAsked(r)}>
                  {r.sees ? w.hide : w.unhide}
                  <span class="unseen"> {partyName(r.grant.to)}</span>
                </Button>
              </span>
            </li>
          ))}
        </ul>
      )}
      {asked && <Ask item={i} reader={asked} close={() => setAsked(null)} />}
    </Part>
  );
}

function Ask({ item: i, reader: r, close }: { item: Item; reader: Reader; close(): void }) {
  const w = words.value.hide;
  const [busy, setBusy] = useState(false);
  const others = along(i);
  const act = async () => {
    setBusy(true);
    const o = { grant: r.grant.id, entries: entriesOf(i) };
    await settled(r.sees ? w.done : w.undone, () => (r.sees ? vault.hide(o) : vault.unhide(o)));
    close();
  };
  const who = <bdi>{partyName(r.grant.to)}</bdi>;
  return (
    <Sheet title={say(r.sees ? w.hideTitle : w.unhideTitle, { who })} close={close}>
      <p>{r.sees ? w.hideWhy : w.unhideWhy}</p>
      {others.length > 0 && (
        <>
          <p>{count(w.along, others.length)}</p>
          <ul class="codes">
            {others.slice(0, 8).map((x) => (
              <li key={x.key}>
                <bdi>{x.title}</bdi>
              </li>
            ))}
          </ul>
        </>
      )}
      <div class="stack">
        <Button tone={r.sees ? "danger" : "main"} busy={busy} onClick={() => void act()}>
          {r.sees ? w.hideDo : w.unhideDo}
        </Button>
        <Button onClick={close}>{words.value.common.cancel}</Button>
      </div>
    </Sheet>
  );
}
