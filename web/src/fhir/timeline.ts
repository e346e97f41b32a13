/** The record as it happened: visits with what was done in them, and single things by their day; newest first. Search and filters narrow it. */
import { folded, type Item, type Kind } from "./item.ts";

export interface Filter {
  words: string;
  kinds: ReadonlySet<Kind>; // empty: all
  from: string; // an organisation, "": all
}

export interface Group {
  id: string;
  at: number;
  visit: Item | null;
  items: Item[];
}

/** Kinds that stand in a timeline: who the patient is, and who pays, does not happen. */
const lasting: readonly Kind[] = ["person", "coverage"];

const fits = (i: Item, f: Filter, terms: string[]): boolean =>
  (f.kinds.size === 0 || f.kinds.has(i.kind)) && (!f.from || i.from === f.from) && terms.every((t) => i.search.includes(t));

const day = (at: number): string => {
  const d = new Date(at);
  return `${d.getFullYear()}-${d.getMonth()}-${d.getDate()}`;
};

/** In a visit what was found comes before what was measured. */
const rank: readonly Kind[] = [
  "condition",
  "allergy",
  "procedure",
  "medicine",
  "immunization",
  "report",
  "document",
  "dispense",
  "lab",
  "vital",
];
const place = (k: Kind): number => (rank.indexOf(k) + rank.length + 1) % (rank.length + 1);

export function timeline(items: Item[], filter: Filter): Group[] {
  const terms = folded(filter.words).split(/\s+/).filter(Boolean);
  const visits = new Map(items.filter((i) => i.kind === "visit").map((i) => [i.key, i]));
  const groups = new Map<string, Group>();
  const group = (id: string, at: number, visit: Item | null): Group => {
    let g = groups.get(id);
    if (!g) {
      g = { id, at, visit, items: [] };
      groups.set(id, g);
    }
    return g;
  };
  for (const i of items) {
    if (lasting.includes(i.kind) || !fits(i, filter, terms)) continue;
    const visit = i.kind === "visit" ? i : visits.get(i.visit);
    const g = visit ? group(visit.key, visit.at, visit) : group(day(i.at), i.at, null);
    if (i.kind !== "visit") g.items.push(i);
    if (!visit) g.at = Math.max(g.at, i.at);
  }
  for (const g of groups.values()) g.items.sort((a, b) => place(a.kind) - place(b.kind) || b.at - a.at);
  return [...groups.values()].sort((a, b) => b.at - a.at);
}
