/** Every look into the record: complete, because the logs that it stands in are proven to have nothing left out. */
import { useState } from "preact/hooks";
import { activity } from "../app/store.ts";
import { fill, time, words } from "../i18n/index.ts";
import { Icon } from "../ui/Icon.tsx";
import { Button, Empty, Title, Toggles } from "../ui/parts.tsx";
import { Upto } from "../ui/Upto.tsx";
import type { Access } from "../vault/api.ts";
import { AccessRow } from "./activity/AccessRow.tsx";
import { looks } from "./activity/looks.ts";
import { useExport } from "./more/Export.tsx";

const show = ["all", "people", "refused", "emergency"] as const;
type Show = (typeof show)[number];

const fits: Record<Show, (r: Access) => boolean> = {
  all: () => true,
  people: (r) => !r.machine,
  refused: (r) => r.outcome !== "allowed",
  emergency: (r) => r.purpose === "ETREAT",
};

export function Activities() {
  const w = words.value.activity;
  const [which, setWhich] = useState<Show>("all");
  const [many, setMany] = useState(100);
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
            {looks(of).map((l) => (
              <AccessRow key={l.id} look={l} seen />
            ))}
          </ul>
        </section>
      ))}
      {rows.length > many && <Button onClick={() => setMany(many + 100)}>{words.value.common.more}</Button>}
      <Download />
    </div>
  );
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
