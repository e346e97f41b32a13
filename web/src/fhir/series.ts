/** Measures over time: all observations of one code, oldest first. One function for every page that shows a trend. */
import type { Item } from "./item.ts";
import type { Flag } from "./measure.ts";

export interface Point {
  at: number;
  exact: boolean;
  value: number;
  flag: Flag;
  key: string;
}

export interface Line {
  name: string;
  points: Point[];
}

export interface Series {
  code: string;
  name: string;
  kind: "vital" | "lab" | "device";
  unit: string;
  lines: Line[];
  low: number | null; // of the newest range that was given with this unit; only where there is one line
  high: number | null;
  items: Item[]; // newest first
}

const code = (i: Item): string => (i.fhir.resourceType === "Observation" ? (i.fhir.code?.coding?.[0]?.code ?? i.title) : "");

/** Series of all measured observations, those with the newest value first. Values of another unit than the newest stand apart. */
export function series(items: Item[]): Series[] {
  const by = new Map<string, Item[]>();
  for (const i of items) {
    if (i.kind !== "vital" && i.kind !== "lab" && i.kind !== "device") continue;
    if (!i.parts.some((p) => p.value !== null)) continue;
    const id = `${code(i)}|${i.parts[0]?.unit}`;
    by.set(id, [...(by.get(id) ?? []), i]);
  }
  const out: Series[] = [];
  for (const [id, all] of by) {
    all.sort((a, b) => b.at - a.at);
    const newest = all[0];
    if (!newest) continue;
    const lines: Line[] = newest.parts
      .filter((p) => p.value !== null)
      .map((p) => ({
        name: p.name,
        points: all
          .flatMap((i) => {
            const same = i.parts.find((x) => x.code === p.code && x.unit === p.unit);
            return same?.value != null ? [{ at: i.at, exact: i.exact, value: same.value, flag: same.flag, key: i.key }] : [];
          })
          .reverse(),
      }));
    const only = lines.length === 1 ? all.map((i) => i.parts[0]).find((p) => p && (p.low !== null || p.high !== null)) : undefined;
    out.push({
      code: id,
      name: newest.title,
      kind: newest.kind as Series["kind"],
      unit: newest.parts[0]?.unit ?? "",
      lines,
      low: only?.low ?? null,
      high: only?.high ?? null,
      items: all,
    });
  }
  return out.sort((a, b) => (b.items[0]?.at ?? 0) - (a.items[0]?.at ?? 0));
}
