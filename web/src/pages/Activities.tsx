/** Every look into the record: complete, because the logs that it stands in are proven to have nothing left out. */
import { useState } from "preact/hooks";
import { activity } from "../app/store.ts";
import { count, fill, time, words } from "../i18n/index.ts";
import type { Access } from "../vault/api.ts";
import { Icon } from "../ui/Icon.tsx";
import { Button, Empty, Title, Toggles } from "../ui/parts.tsx";
import { Upto } from "../ui/Upto.tsx";
import { AccessRow, partyName } from "./activity/AccessRow.tsx";
import { useExport } from "./more/Export.tsx";

const show = ["all", "people", "refused", "emergency"] as const;
type Show = (typeof show)[number];

const fits: Record<Show, (r: Access) => boolean> = {
  all: () => true,
  people: (r) => !r.machine,
  refused: (r) => r.outcome !== "allowed",
  emergency: (r) => r.purpose === "ETREAT",
};

interface Fold {
  id: string;
  rows: Access[]; // one, or several of the same member's software
}

/** What software did is folded by day and member, unless it was refused. */
function folded(rows: Access[]): Fold[] {
  const out: Fold[] = [];
  for (const r of rows) {
    const last = out.at(-1);
    const first = last?.rows[0];
    if (last && first && r.machine && first.machine && r.outcome === "allowed" && first.outcome === "allowed" && partyName(r.by) === partyName(first.by)) last.rows.push(r);
    else out.push({ id: r.id, rows: [r] });
  }
  return out;
}

export function Activities() {
  const w = words.value.activity;
  const [which, setWhich] = useState<Show>("all");
  const [many, setMany] = useState(60);
  const a = activity.value;
  const rows = (a?.rows ?? []).filter(fits[which]);
  const days = new Map<string, Access[]>();
  for (const r of rows.slice(0, many)) {
    const d = time(r.at, "long");
    days.set(d, [...(days.get(d) ?? []), r]);
  }
  return (
    <div class="page">
      <Title>{w.title}</Title>
      <Upto />
      <p class="quiet">{w.why}</p>
      {a && (
        <p class="verified">
          <Icon name="shield" />
          <span>{fill(w.complete, { signed: a.signed, of: a.of })}</span>
        </p>
      )}
      <Toggles title={w.filter} options={show.map((s) => ({ value: s, label: w[s] }))} on={(s) => s === which} press={(s) => setWhich(s)} />
      {rows.length === 0 && <Empty icon="activity">{which === "all" ? w.empty : w.none}</Empty>}
      {[...days].map(([day, of]) => (
        <section class="happened" key={day}>
          <h2>{day}</h2>
          <ul class="card rows">
            {folded(of).map((f) => (
              <Look key={f.id} fold={f} />
            ))}
          </ul>
        </section>
      ))}
      {rows.length > many && <Button onClick={() => setMany(many + 100)}>{words.value.common.more}</Button>}
      <Download />
    </div>
  );
}

function Look({ fold }: { fold: Fold }) {
  const w = words.value.activity;
  const first = fold.rows[0]!;
  if (fold.rows.length > 1)
    return (
      <li class="row folded">
        <span class="row-icon">
          <Icon name="gear" />
        </span>
        <details class="row-text">
          <summary>
            <bdi>{fill(count(w.machines, fold.rows.length), { who: partyName(first.by) })}</bdi>
          </summary>
          <ul class="rows">
            {fold.rows.map((r) => (
              <AccessRow key={r.id} row={r} />
            ))}
          </ul>
        </details>
      </li>
    );
  return <AccessRow row={first} seen />;
}

function Download() {
  const [busy, save] = useExport();
  return (
    <div class="stack ends">
      <Button icon="download" busy={busy} onClick={() => save("activity")}>
        {words.value.activity.export}
      </Button>
    </div>
  );
}
