/** One measure over time: a summary in words, then the chart or the table. */
import { useMemo, useState } from "preact/hooks";
import { place } from "../app/route.ts";
import { items } from "../app/store.ts";
import { type Series, series } from "../fhir/series.ts";
import { count, fill, number, time, words } from "../i18n/index.ts";
import { Button, Empty, FlagChip, Go, Title, Toggles, Value } from "../ui/parts.tsx";
import { Trend } from "./vitals/Trend.tsx";

const periods = { all: 0, year: 366 * 86_400_000, quarter: 92 * 86_400_000 };
type Period = keyof typeof periods;

/** What is not older than the period before the newest value. */
function within(s: Series, p: Period): Series {
  const newest = s.items[0]?.at ?? 0;
  if (!periods[p]) return s;
  const recent = <T extends { at: number }>(all: T[]) => all.filter((x) => x.at >= newest - periods[p]);
  return { ...s, items: recent(s.items), lines: s.lines.map((l) => ({ ...l, points: recent(l.points) })) };
}

export function TrendPage() {
  const w = words.value.vitals;
  const all = useMemo(() => series(items.value), [items.value]);
  const whole = all.find((s) => s.code === place.value.of);
  const [period, setPeriod] = useState<Period>("all");
  const [table, setTable] = useState(false);
  if (!whole)
    return (
      <div class="page">
        <Title back="/vitals">{w.title}</Title>
        <Empty icon="pulse">{words.value.item.gone}</Empty>
      </div>
    );
  const s = within(whole, period);
  const options: { value: Period; label: string }[] = [
    { value: "all", label: words.value.common.all },
    { value: "year", label: w.year },
    { value: "quarter", label: w.quarter },
  ];
  return (
    <div class="page">
      <Title back="/vitals">
        <bdi>{s.name}</bdi>
      </Title>
      <Summary series={s} />
      <Toggles title={w.period} options={options} on={(p) => p === period} press={(p) => setPeriod(p)} />
      {table ? (
        <section class="card chart scrolls" aria-label={s.name} {...scrolled}>
          <Table series={s} />
        </section>
      ) : (
        <div class="card chart">
          <Trend key={period} series={s} />
        </div>
      )}
      <Button onClick={() => setTable(!table)}>{table ? w.tableHide : w.table}</Button>
    </div>
  );
}

/** What scrolls must be reached by the keyboard. */
const scrolled = { tabIndex: 0 };

function Summary({ series: s }: { series: Series }) {
  const w = words.value.vitals;
  const newest = s.items[0];
  const before = s.items[1];
  if (!newest) return null;
  const first = s.lines[0]?.points ?? [];
  const values = first.map((p) => p.value);
  const outside = s.items.filter((i) => i.flag && i.flag !== "normal").length;
  const a = newest.parts[0]?.value ?? 0;
  const b = before?.parts[0]?.value ?? null;
  const range = newest.parts.map((p) => p.range).filter(Boolean);
  return (
    <div class="card lead-card">
      <p class="big">
        <Value text={newest.value} /> <FlagChip flag={newest.flag} />
      </p>
      <p>
        {time(newest.at, "long")}. {b !== null && (a > b ? w.change.up : a < b ? w.change.down : w.change.same)}
      </p>
      <p class="quiet">
        {s.items.length === 1
          ? fill(w.summaryOne, { day: time(newest.at) })
          : fill(w.summary, {
              n: count(w.values, s.items.length),
              from: time(s.items.at(-1)!.at),
              to: time(newest.at),
              low: number(Math.min(...values)),
              high: number(Math.max(...values)),
            })}{" "}
        {outside > 0 && count(w.outside, outside)} {range.length === 1 && fill(w.band, { range: range[0]! })}
      </p>
      <Go to="/record/item" of={newest.key}>
        {w.open}
      </Go>
    </div>
  );
}

function Table({ series: s }: { series: Series }) {
  const w = words.value.vitals;
  return (
    <table>
      <caption class="unseen">{s.name}</caption>
      <thead>
        <tr>
          <th scope="col">{w.date}</th>
          <th scope="col">{w.value}</th>
          <th scope="col">{w.range}</th>
        </tr>
      </thead>
      <tbody>
        {s.items.map((i) => (
          <tr key={i.key}>
            <th scope="row">{time(i.at)}</th>
            <td>
              <Value text={i.value} /> <FlagChip flag={i.flag} />
            </td>
            <td>
              <bdi>
                {i.parts
                  .map((p) => p.range)
                  .filter(Boolean)
                  .join(" / ")}
              </bdi>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
