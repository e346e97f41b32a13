/** All measures, each with its newest value and the shape of its past. */
import { useMemo } from "preact/hooks";
import { items } from "../app/store.ts";
import { type Series, series } from "../fhir/series.ts";
import { time, words } from "../i18n/index.ts";
import { Empty, FlagChip, Go, Part, Title, Value } from "../ui/parts.tsx";
import { Spark } from "./vitals/Spark.tsx";

export function Vitals() {
  const w = words.value.vitals;
  const all = useMemo(() => series(items.value), [items.value]);
  const of = (k: Series["kind"]) => all.filter((s) => s.kind === k);
  return (
    <div class="page">
      <Title back="/more">{w.title}</Title>
      {all.length === 0 && <Empty icon="pulse">{w.empty}</Empty>}
      <Measures title={w.vitals} all={of("vital")} />
      <Measures title={w.labs} all={of("lab")} />
      <Measures title={w.devices} all={of("device")} />
    </div>
  );
}

function Measures({ title, all }: { title: string; all: Series[] }) {
  if (all.length === 0) return null;
  return (
    <Part title={title}>
      <ul class="card rows">
        {all.map((s) => {
          const newest = s.items[0];
          return (
            <li key={s.code}>
              <Go to="/vitals/trend" of={s.code} class="row measure">
                <span class="row-text">
                  <span class="row-title">
                    <bdi>{s.name}</bdi>
                  </span>
                  <span class="row-more">{newest && time(newest.at)}</span>
                </span>
                <Spark points={s.lines[0]?.points ?? []} />
                <span class="row-end">
                  <span class="value">
                    <Value text={newest?.value ?? ""} />
                  </span>
                  {newest && newest.flag !== "normal" && <FlagChip flag={newest.flag} />}
                </span>
              </Go>
            </li>
          );
        })}
      </ul>
    </Part>
  );
}
