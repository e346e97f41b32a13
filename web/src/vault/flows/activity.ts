/** Every access to the patient's records, from entries that were proved, with what the readers told of themselves (spec/access.md). */

import type { Access, Activity, Final } from "../api.ts";
import { type Bytes, hex } from "../bytes.ts";
import { fail, kindOf } from "../failure.ts";
import { type Detail, noMember, openDetail } from "../grant/detail.ts";
import type { Accessed } from "../ledger/entry.ts";
import { covers } from "../ledger/terms.ts";
import type { SectionName } from "../names.ts";
import { blobOf, gather } from "./blobs.ts";
import { type Notes, readNotes, writeNote } from "./notes.ts";
import { placeOfEntry, recordsOf } from "./open.ts";
import { memberParty, partyOf } from "./party.ts";
import { each, type Session } from "./session.ts";
import { type Placed, type ProvenLog, provenBy, syncLogs } from "./sync.ts";

const atOnce = 6;

export async function activity(s: Session): Promise<Activity> {
  const notes = await readNotes(s);
  const all = [...s.logs.values()].flatMap((l) => l.entries);
  await gather(
    s,
    all.flatMap((e) => (e.says.kind === "access" ? [e.says.detail] : [])),
  );
  const rows: Access[] = [];
  for (const log of s.logs.values()) {
    await each(log.entries, atOnce, async (e) => {
      if (e.says.kind === "access") rows.push(await accessRow(s, notes, log, e, e.says));
      else if (e.says.kind === "refusals") rows.push(refusalsRow(s, notes, log, e, e.says.key, e.says.count));
    });
  }
  rows.sort((a, b) => b.at - a.at || b.entry - a.entry);
  const by = provenBy(s);
  return { rows, proven: true, signed: by.signed, of: by.of, upTo: by.upTo };
}

function blank(s: Session, notes: Notes, log: ProvenLog, e: Placed, key: Bytes): Access {
  const link = notes.names.get(hex(key))?.link;
  return {
    id: placeOfEntry(e),
    section: log.section,
    entry: e.number,
    block: e.block,
    at: e.at,
    by: partyOf(s.genesis, notes, log.head.owners[0]!, key),
    purpose: notes.names.get(hex(key))?.purpose ?? "",
    practitioner: "",
    person: "",
    role: "",
    organisation: "",
    reason: "",
    machine: false,
    explained: false,
    introduced: false,
    records: 0,
    resources: [],
    kept: false,
    further: false,
    link: link ? { sections: link.sections } : null,
    outcome: "no-right",
    count: 1,
    reviewed: notes.reviewed.has(placeOfEntry(e)),
  };
}

async function accessRow(s: Session, notes: Notes, log: ProvenLog, e: Placed, says: Accessed): Promise<Access> {
  const named = notes.names.get(hex(e.signer));
  const link = named?.link;
  const touched = recordsOf(log).filter((r) => covers(says.ranges, r.number));
  const resources =
    link?.resources ?? touched.flatMap((r) => s.opened.get(placeOfEntry(r))?.content.items.map((i) => `${i.type}/${i.id}`) ?? []);
  const row = {
    ...blank(s, notes, log, e, e.signer),
    records: link ? link.resources.length : touched.length,
    resources: [...new Set(resources)],
  };
  Object.assign(row, { kept: says.why === "allowed" && says.grant === 0, further: says.further, outcome: says.why });
  const d = await detailOf(s, log.section, e, says);
  if (!d) return row;
  // Of a person the patient's own note says who it is: a detail in nobody's name proves only that the key's holder wrote it.
  if (d.member === noMember)
    return { ...row, person: named?.proxy?.name ?? "", reason: d.reason, explained: true, introduced: named?.proxy !== undefined };
  const introduced = (link ?? named)?.member === d.member;
  const { practitioner, role, organisation, purpose, reason, machine } = d;
  return {
    ...row,
    by: link ? row.by : memberParty(s.genesis, d.member),
    practitioner,
    person: d.name,
    role,
    organisation,
    purpose,
    reason: link ? "" : reason,
    machine: machine && !link,
    explained: true,
    introduced,
  };
}

function refusalsRow(s: Session, notes: Notes, log: ProvenLog, e: Placed, key: Bytes, count: number): Access {
  return { ...blank(s, notes, log, e, key), introduced: notes.names.has(hex(key)), count };
}

/** What the reader told, or null where nobody has it, or it doesn't open: the row stands without an explanation. */
async function detailOf(s: Session, section: SectionName, e: Placed, says: Accessed): Promise<Detail | null> {
  try {
    const sealed = await blobOf(s, says.detail);
    const use = { log: e.log, session: says.session, grantee: e.signer };
    return await openDetail((await s.patient.section(section)).exchange, s.genesis, use, sealed);
  } catch (e) {
    if (["not-shared", "altered"].includes(kindOf(e))) return null;
    throw e;
  }
}

/** Writes down that the patient found accesses right: in the index, so that all their devices know. */
export async function review(s: Session, accesses: string[]): Promise<Final> {
  const known = new Set([...s.logs.values()].flatMap((l) => l.entries.flatMap((e) => (e.says.kind === "access" ? placeOfEntry(e) : []))));
  if (accesses.length === 0 || !accesses.every((id) => known.has(id))) return fail("invalid", "no such access");
  const final = await writeNote(s, { reviewed: accesses });
  await syncLogs(s, ["index"]);
  return final;
}

/** Allowed accesses under a grant, by its entry. */
export function usesOf(log: ProvenLog, grant: number): Placed[] {
  return log.entries.filter((e) => e.says.kind === "access" && e.says.why === "allowed" && e.says.grant === grant);
}
