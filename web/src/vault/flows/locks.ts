/**
 * Owner locks of records that were written in custody (spec/claim.md): a member that may read them opens each once more, with a row in the log, and seals
 * what opens it to the patient, who keeps it in the index.
 */

import { type Bytes, hex } from "../bytes.ts";
import { contentBy, ownerSecret } from "../envelope/envelope.ts";
import { kindOf } from "../failure.ts";
import { decodeGiven, maxLocks, signLocks } from "../grant/claim.ts";
import { readRight } from "../ledger/terms.ts";
import { clinicalSections, type SectionName } from "../names.ts";
import { headerOf } from "../opening.ts";
import { times } from "../wire.ts";
import { fetchRecords, nameOf } from "./kept.ts";
import { readNotes, writeNote } from "./notes.ts";
import { standing } from "./open.ts";
import type { Session } from "./session.ts";
import { logOf, type Placed, syncLogs } from "./sync.ts";

const atOnce = 128;

/** How many records of the custody's time there are, and how many of them the patient's own keys open. */
export interface Unlocked {
  done: number;
  of: number;
}

/** Gets the locks that are lacking. What is done is not done again; a record that nobody opens is left. */
export async function unlock(s: Session): Promise<Unlocked> {
  await syncLogs(s);
  await readNotes(s);
  const how: Unlocked = { done: 0, of: 0 };
  const lacking: { section: SectionName; entries: Placed[] }[] = [];
  for (const section of clinicalSections) {
    const without = await unlocked(s, section);
    const left = without.filter((e) => !s.unlocked.has(nameOf(e)));
    how.of += without.length;
    how.done += without.length - left.length;
    lacking.push(...times(Math.ceil(left.length / maxLocks), (i) => ({ section, entries: left.slice(i * maxLocks, (i + 1) * maxLocks) })));
  }
  s.progress({ step: "locks", ...how });
  for (const { section, entries } of lacking) {
    how.done += await page(s, section, entries);
    s.progress({ step: "locks", ...how });
  }
  if (lacking.length > 0) await syncLogs(s);
  return how;
}

/** The records of a section without an owner lock. */
async function unlocked(s: Session, section: SectionName): Promise<Placed[]> {
  const { log } = await s.patient.section(section);
  const all = standing(logOf(s, section));
  const out: Placed[] = [];
  for (let at = 0; at < all.length; at += atOnce) {
    const some = all.slice(at, at + atOnce);
    const { kept } = await fetchRecords(s, log, some);
    out.push(...some.filter((e, i) => kept[i] && lockless(s, e, kept[i].header)));
  }
  return out;
}

function lockless(s: Session, e: Placed, header: Bytes): boolean {
  try {
    return headerOf(s.genesis.network, e, header).owner === null;
  } catch {
    return false; // altered: shown as such
  }
}

/** Keeps what opens some records, and tells of how many. */
async function page(s: Session, section: SectionName, entries: Placed[]): Promise<number> {
  const k = await s.patient.section(section);
  const found = new Map<string, Bytes>();
  for (const member of await readers(s, section)) {
    const left = entries.filter((e) => !found.has(nameOf(e)));
    if (left.length === 0) break;
    const wish = { chart: s.patient.chart, log: k.log, exchange: k.exchange.public, at: s.home.now(), entries: left.map((e) => e.number) };
    let given: Bytes[];
    try {
      given = decodeGiven(await s.home.ownerLocks(member, await signLocks(s.genesis.network, member, k.owner, wish)), left.length);
    } catch (e) {
      if (kindOf(e) === "not-shared") continue;
      throw e;
    }
    const { kept } = await fetchRecords(s, k.log, left);
    for (const [i, e] of left.entries()) {
      const secret = kept[i] && given[i]!.length > 0 ? await inside(s, section, e, kept[i].header, given[i]!) : null;
      if (secret) found.set(nameOf(e), secret);
    }
  }
  if (found.size > 0) await writeNote(s, { records: found });
  for (const [record, secret] of found) s.unlocked.set(record, secret);
  return found.size;
}

/** What is in a lock, if it fits the record's commitment. */
async function inside(s: Session, section: SectionName, e: Placed, header: Bytes, lock: Bytes): Promise<Bytes | null> {
  try {
    const h = { ...headerOf(s.genesis.network, e, header), owner: lock };
    const secret = await ownerSecret(h, (await s.patient.section(section)).exchange);
    await contentBy(h, secret.slice());
    return secret;
  } catch (e) {
    if (kindOf(e) === "altered") return null;
    throw e;
  }
}

/** The members that may read a section any number of times. */
async function readers(s: Session, section: SectionName): Promise<number[]> {
  const { names } = await readNotes(s);
  const out = logOf(s, section).head.grants.flatMap(({ terms, revoked }) => {
    const n = names.get(hex(terms.key));
    return n && n.member >= 0 && !revoked && terms.uses === 0 && (terms.rights & readRight) !== 0 ? [n.member] : [];
  });
  return [...new Set(out)];
}
