/** The patient's chart: all records opened, folded into resources, with what each version rests on. */

import type { Chart, Problem, Resource, Version } from "../api.ts";
import { equal, hex } from "../bytes.ts";
import { type Folded, type Version as FoldedVersion, fold } from "../chart/fold.ts";
import type { Recorded } from "../ledger/entry.ts";
import { covers } from "../ledger/terms.ts";
import { clinicalSections } from "../names.ts";
import { type Notes, readNotes } from "./notes.ts";
import { type Opened, openRecords, type Unopened } from "./open.ts";
import { partyOf } from "./party.ts";
import type { Session } from "./session.ts";
import { logOf, provenBy } from "./sync.ts";

export async function chart(s: Session): Promise<Chart> {
  const notes = await readNotes(s);
  const found = await openRecords(
    s,
    clinicalSections.map((x) => logOf(s, x)),
  );
  return chartOf(s, notes, found);
}

/** The chart that opened records come to. */
export function chartOf(s: Session, notes: Notes, { opened, unopened }: { opened: Opened[]; unopened: Unopened[] }): Chart {
  const byPlace = new Map(opened.map((o) => [`${hex(o.entry.log)}/${o.entry.number}`, o]));
  const resources = fold(opened.flatMap(versionsOf)).map((f) => resource(s, notes, byPlace, f));
  resources.sort((a, b) => b.current.at - a.current.at);
  const by = provenBy(s);
  return { resources, problems: unopened.map((u) => problem(s, notes, u)), upTo: by.upTo, signed: by.signed, of: by.of };
}

/** The items of a record, for the fold. */
export function versionsOf(o: Opened): FoldedVersion[] {
  const { author, created, items } = o.content;
  const at = { section: o.section, log: hex(o.entry.log), entry: o.entry.number, at: o.entry.at, created };
  return items.map((item, number) => ({ ...at, author, authorKey: hex(author.key), item, number }));
}

function resource(s: Session, notes: Notes, byPlace: Map<string, Opened>, f: Folded): Resource {
  const versions = f.history.map((v) => version(s, notes, byPlace.get(`${v.log}/${v.entry}`)!, v));
  const current = versions[f.history.indexOf(f.current)]!;
  return { key: `${f.type}/${f.id}`, type: f.type, id: f.id, current, versions, forked: f.heads.length > 1, foreign: f.foreign.length };
}

function version(s: Session, notes: Notes, o: Opened, v: FoldedVersion): Version {
  const log = logOf(s, v.section);
  const own = v.author.member === "";
  const by = partyOf(s.genesis, notes, log.head.owners[0]!, v.author.key);
  const number = own ? -1 : s.genesis.members.findIndex((m) => equal(m.sign, v.author.key));
  const { member, practitioner, name, role } = v.author;
  const { item } = v;
  return {
    section: v.section,
    log: v.log,
    entry: v.entry,
    block: o.entry.block,
    at: v.at,
    created: v.created,
    record: hex((o.entry.says as Recorded).record),
    author: { member, number, practitioner, name, role, own, device: by.kind === "device" ? by.name : "" },
    status: item.status,
    blocked: covers(log.head.erased, v.entry),
    json: item.json,
  };
}

function problem(s: Session, notes: Notes, u: Unopened): Problem {
  const log = logOf(s, u.section);
  const whys: Record<string, Problem["why"]> = {
    "not-shared": "missing",
    altered: "altered",
    "no-lock": "not-for-owner",
    "unknown-author": "unknown-author",
    invalid: "unreadable",
  };
  return {
    section: u.section,
    log: hex(u.entry.log),
    entry: u.entry.number,
    block: u.entry.block,
    at: u.entry.at,
    why: whys[u.why] ?? "unreadable",
    by: partyOf(s.genesis, notes, log.head.owners[0]!, u.entry.signer),
  };
}
