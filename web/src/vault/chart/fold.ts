/** Records of all logs of a patient, folded into resources (spec/content.md, Fold): the same for everyone who opened the same entries. */

import { type SectionName, sectionNumber } from "../names.ts";
import type { Author, Item } from "./content.ts";

/** One item of one record. */
export interface Version {
  section: SectionName;
  log: string; // hex
  entry: number;
  at: number; // ledger clock
  created: number;
  author: Author;
  authorKey: string; // hex
  item: Item;
  number: number; // of the item in its record
}

export interface Folded {
  type: string;
  id: string;
  current: Version;
  heads: Version[];
  history: Version[]; // oldest first, without the ends in sections that the resource left
  foreign: Version[]; // by another author under the same id: they change nothing
}

const inOrder = (a: Version, b: Version): number =>
  a.at - b.at || sectionNumber(a.section) - sectionNumber(b.section) || a.entry - b.entry || a.number - b.number;

const place = (log: string, entry: number): string => `${log}/${entry}`;

export function fold(versions: Version[]): Folded[] {
  const byName = new Map<string, Version[]>();
  for (const v of versions.toSorted(inOrder)) {
    const name = `${v.item.type}/${v.item.id}`;
    const list = byName.get(name);
    if (list) list.push(v);
    else byName.set(name, [v]);
  }
  return [...byName.values()].map(foldOne);
}

function foldOne(all: Version[]): Folded {
  const first = all[0]!;
  const own = all.filter((v) => v.authorKey === first.authorKey);
  const replaced = new Set(own.flatMap((v) => v.item.supersedes.filter((n) => n < v.entry).map((n) => place(v.log, n))));
  let heads = own.filter((v) => !replaced.has(place(v.log, v.entry)));
  const left = heads.filter(
    (v) => v.item.status === "deleted" && heads.some((w) => w.log !== v.log && w.item.status !== "deleted"), // it went on in another section
  );
  heads = heads.filter((v) => !left.includes(v));
  return {
    type: first.item.type,
    id: first.item.id,
    current: heads.at(-1)!,
    heads,
    history: own.filter((v) => !left.includes(v)),
    foreign: all.filter((v) => v.authorKey !== first.authorKey),
  };
}
