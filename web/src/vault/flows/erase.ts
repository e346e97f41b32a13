/**
 * Erases what the patient chooses: one resource, a section, or all of them. Who has erased what stands on the ledger, which keeps of a destroyed record a commitment
 * that means nothing any more.
 */

import type { Erasable, Erased, Erasure, Final, KeptCopy, Party, Taken } from "../api.ts";
import { type Bytes, hex } from "../bytes.ts";
import { type Folded, fold } from "../chart/fold.ts";
import { fail } from "../failure.ts";
import type { Kept } from "../ledger/head.ts";
import { covers, entriesIn, type Range } from "../ledger/terms.ts";
import { clinicalSections, type SectionName } from "../names.ts";
import { readNotes } from "./notes.ts";
import { type Opened, openRecords, placeOfEntry, standing } from "./open.ts";
import { partyOf } from "./party.ts";
import { versionsOf } from "./record.ts";
import type { Session } from "./session.ts";
import { grants, stop } from "./sharing.ts";
import { place, signed, submit } from "./submit.ts";
import { logOf, type Placed, syncLogs } from "./sync.ts";

const most = { entries: 1000, ranges: 64 }; // of one operation
const oneDeed = 20_000; // ms between orders that count as one

interface Target {
  entries: Map<SectionName, Placed[]>; // records that are still there
  current: Folded[]; // what shows by them now
  along: string[];
  links: string[]; // grants of health links
}

export async function erasable(s: Session, of: Taken): Promise<Erasable> {
  const { entries, current, along, links } = await targetOf(s, of);
  const parts = [...entries].map(([section, list]) => {
    const open = list.filter((e) => !covers(logOf(s, section).head.erased, e.number));
    const resources = current.filter((f) => f.current.section === section).length;
    return { section, records: list.length, open: open.length, resources };
  });
  return { parts, along, links: links.length };
}

/**
 * Crash points: after the links ended nothing is erased yet. Each order is final for itself; the same call again leaves out what was erased. What this device has
 * goes with the sync that brings the order, here and on the patient's other devices.
 */
export async function erase(s: Session, how: Erasure, of: Taken): Promise<Final> {
  await syncLogs(s);
  const { entries, links } = await targetOf(s, of);
  const left = [...entries].flatMap(([section, list]) => {
    const { erased } = logOf(s, section).head;
    return ordersOf(list.filter((e) => how === "destroy" || !covers(erased, e.number)).map((e) => e.number)).map((ranges) => ({
      section,
      ranges,
    }));
  });
  if (left.length === 0) return fail("conflict", "nothing is there that is to be erased");
  if (links.length > 0) await stop(s, (g) => links.includes(g.id));
  const final: Final = { block: 0, signed: s.genesis.validators.length, of: s.genesis.validators.length };
  for (const [done, { section, ranges }] of left.entries()) {
    const k = await s.patient.section(section);
    const o = await signed(s, k.owner, k.log, { kind: how === "block" ? "erase-block" : "erase-destroy", ranges });
    const one = await place(s, [o], await submit(s, [o]));
    await syncLogs(s, [section]);
    final.block = Math.max(final.block, one.block);
    final.signed = Math.min(final.signed, one.signed);
    s.progress({ step: "erasing", done: done + 1, of: left.length });
  }
  return final;
}

/** Ascending entries as ranges, of which one operation may name so many. */
export function ordersOf(entries: number[]): Range[][] {
  const out: Range[][] = [];
  let named = 0;
  for (const e of entries) {
    const [at, ranges] = [BigInt(e), out.at(-1)];
    const last = ranges?.at(-1);
    const joins = last?.to === at;
    if (!ranges || named === most.entries || (!joins && ranges.length === most.ranges)) {
      out.push([{ from: at, to: at + 1n }]);
      named = 1;
      continue;
    }
    if (last && joins) last.to++;
    else ranges.push({ from: at, to: at + 1n });
    named++;
  }
  return out;
}

async function targetOf(s: Session, of: Taken): Promise<Target> {
  const logs = clinicalSections.map((x) => logOf(s, x));
  const { opened } = await openRecords(s, logs);
  const wanted = chosenBy(of, opened);
  const entries = new Map<SectionName, Placed[]>();
  for (const l of logs) {
    const list = standing(l).filter((e) => wanted(l.section, e));
    if (list.length > 0) entries.set(l.section, list);
  }
  const places = new Set([...entries.values()].flat().map(placeOfEntry));
  const within = opened.filter((o) => places.has(placeOfEntry(o.entry)));
  const current = fold(opened.flatMap(versionsOf)).filter(
    (f) => f.current.item.status === "active" && places.has(placeOfVersion(f.current)),
  );
  return {
    entries,
    current,
    along: "keys" in of ? current.map(keyOf).filter((key) => !of.keys.includes(key)) : [],
    links: await linksWith(s, new Set(within.flatMap((o) => o.content.items.map(keyOf)))),
  };
}

const keyOf = (x: { type: string; id: string }): string => `${x.type}/${x.id}`;
const placeOfVersion = (v: { log: string; entry: number }): string => `${v.log}/${v.entry}`;

function chosenBy(of: Taken, opened: Opened[]): (section: SectionName, e: Placed) => boolean {
  if ("all" in of) return () => true;
  if ("section" in of) return (section) => section === of.section;
  const places = holding(opened, of.keys);
  return (_, e) => places.has(placeOfEntry(e));
}

/** The records that hold a version of one of the resources by its author, in sections that it left too. */
function holding(opened: Opened[], keys: string[]): Set<string> {
  const found = fold(opened.flatMap(versionsOf)).filter((f) => keys.includes(keyOf(f)));
  const authors = new Map(found.map((f) => [keyOf(f), f.current.authorKey]));
  const holds = (o: Opened): boolean => o.content.items.some((i) => authors.get(keyOf(i)) === hex(o.content.author.key));
  return new Set(opened.filter(holds).map((o) => placeOfEntry(o.entry)));
}

/** Grants of health links, in force or to be, whose file has one of the resources. */
async function linksWith(s: Session, keys: Set<string>): Promise<string[]> {
  const { names } = await readNotes(s);
  const { head } = logOf(s, "index");
  const holds = new Set(
    head.grants.filter((g) => names.get(hex(g.terms.key))?.link?.resources.some((r) => keys.has(r))).map((g) => `index/${g.entry}`),
  );
  return (await grants(s)).filter((g) => g.state === "in-force" && holds.has(g.id)).map((g) => g.id);
}

/** All erasures that have not become part of a destruction. */
export async function erased(s: Session): Promise<Erased[]> {
  const notes = await readNotes(s);
  const orders = clinicalSections.flatMap((section) => {
    const log = logOf(s, section);
    const party = (key: Bytes) => partyOf(s.genesis, notes, log.head.owners[0]!, key);
    return log.entries.flatMap((e): Erased[] => {
      if (e.says.kind !== "erase-block" && e.says.kind !== "erase-destroy") return [];
      const how = e.says.kind === "erase-block" ? "block" : "destroy";
      const entries = entriesIn(e.says.ranges).filter((n) => how === "destroy" || !log.destroyed.has(n));
      if (entries.length === 0) return [];
      const parts = [{ section, records: entries.length }];
      const kept = keptOf(log.head.kept, entries, party);
      return [
        { id: placeOfEntry(e), how, by: party(e.signer), at: e.at, block: e.block, parts, orders: [{ section, entry: e.number }], kept },
      ];
    });
  });
  return gathered(orders.sort((a, b) => a.at - b.at)).reverse();
}

/** Who keeps copies of entries, each with the last moment of them. */
const keptOf = (all: Kept[], entries: number[], party: (key: Bytes) => Party): KeptCopy[] =>
  latest(all.filter((k) => entries.some((n) => k.from <= n && n < k.to)).map((k) => ({ by: party(k.key), until: k.until })));

function latest(all: KeptCopy[]): KeptCopy[] {
  const byLast = all.toSorted((a, b) => b.until - a.until);
  return byLast.filter((k, i) => byLast.findIndex((x) => same(x.by, k.by)) === i);
}

/** Orders of one kind by one, shortly after each other, are one deed. They are in the order of time. */
export function gathered(orders: Erased[]): Erased[] {
  const out: { deed: Erased; last: number }[] = [];
  for (const o of orders) {
    const open = out.findLast((x) => x.deed.how === o.how && same(x.deed.by, o.by));
    if (open && o.at - open.last <= oneDeed) {
      join(open.deed, o);
      open.last = o.at;
    } else out.push({ deed: o, last: o.at });
  }
  return out.map((x) => x.deed);
}

function join(to: Erased, o: Erased): void {
  to.block = Math.max(to.block, o.block);
  to.orders.push(...o.orders);
  to.kept = latest([...to.kept, ...o.kept]);
  for (const p of o.parts) {
    const known = to.parts.find((x) => x.section === p.section);
    if (known) known.records += p.records;
    else to.parts.push(p);
  }
}

const same = (a: Party, b: Party): boolean => JSON.stringify(a) === JSON.stringify(b);
