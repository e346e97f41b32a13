/**
 * Logs, proved: the entries hash to the root in a head, and a receipt shows that head under the validators' signatures. Only what is new is fetched; what
 * is kept in the browser is proved again before it is believed.
 */

import { type Bytes, equal, hex } from "../bytes.ts";
import { fail, kindOf } from "../failure.ts";
import { decodeEntry, type Entry, entryHash } from "../ledger/entry.ts";
import type { Head } from "../ledger/head.ts";
import { emptyFrontier, type Frontier, grown, rootOfFrontier } from "../ledger/merkle.ts";
import { decodeReceipt, type Verified, verifyReceipt } from "../ledger/receipt.ts";
import { entriesIn } from "../ledger/terms.ts";
import { type SectionName, sections } from "../names.ts";
import { forget } from "./forget.ts";
import { each, type Session } from "./session.ts";

export interface Placed extends Entry {
  block: number;
}

/** A log up to a head that the validators signed: nothing is missing below its size. */
export interface ProvenLog {
  section: SectionName;
  log: Bytes;
  head: Head;
  entries: Placed[];
  destroyed: ReadonlySet<number>; // records that are to be deleted everywhere: their ciphertext, locks and content are gone
  frontier: Frontier;
  proof: Verified;
}

interface Kept {
  receipt: Bytes;
  blocks: number[];
  entries: Bytes[];
}

const atOnce = 6;

/** Gets the receipt of an entry and verifies it with nothing but the genesis. */
export async function proofOf(s: Session, log: Bytes, entry: number): Promise<Verified> {
  return (await receiptOf(s, log, entry)).proof;
}

/** The same with its bytes. */
export async function receiptOf(s: Session, log: Bytes, entry: number): Promise<{ proof: Verified; encoded: Bytes }> {
  const encoded = await s.home.receipt(log, entry);
  const proof = await verifyReceipt(decodeReceipt(encoded), s.genesis, s.agreed);
  if (!equal(proof.log, log) || proof.number !== entry) return fail("altered", "a receipt of another entry");
  return { proof, encoded };
}

/** Fetches what is new in the sections, proves it, and tells how many entries came. */
export function syncLogs(s: Session, which: readonly SectionName[] = sections): Promise<number> {
  const mine = s.syncing.then(() => syncAll(s, which));
  s.syncing = mine.catch(() => undefined); // the next one tries for itself
  return mine;
}

async function syncAll(s: Session, which: readonly SectionName[]): Promise<number> {
  let [fresh, ready] = [0, 0];
  const sync = async (section: SectionName): Promise<void> => {
    const came = await syncLog(s, section); // others add to fresh meanwhile
    fresh += came;
  };
  await each(which, atOnce, async (section) => {
    await sync(section);
    s.progress({ step: "logs", done: ++ready, of: which.length });
  });
  // Whoever hides news of one log shows it older than the others: those are asked for again.
  const older = which.filter((x) => logOf(s, x).proof.height < heightOf(s));
  await each(older, atOnce, sync);
  return fresh;
}

/** The log of a section of the chart that is read. */
async function logIdOf(s: Session, section: SectionName): Promise<Bytes> {
  if (s.reads) return s.reads.logs.get(section) ?? fail("not-shared", "a section that is not shared");
  return (await s.patient.section(section)).log;
}

async function syncLog(s: Session, section: SectionName): Promise<number> {
  const log = await logIdOf(s, section);
  const known = s.logs.get(section) ?? (await restore(s, section, log));
  const { proof, encoded } = await newest(s, log);
  const have = known?.entries ?? [];
  if (proof.head.size < have.length) return fail("altered", "the log is shorter than it was");
  const raw: { block: number; encoded: Bytes }[] = [];
  while (have.length + raw.length < proof.head.size) {
    const page = await s.home.entries(log, have.length + raw.length, proof.head.size);
    if (page.length === 0) return fail("altered", "the home member keeps entries back");
    raw.push(...page);
  }
  const grownLog = prove(section, proof, known, raw);
  s.logs.set(section, grownLog); // from here on nobody takes in what was destroyed
  const gone = [...grownLog.destroyed].filter((n) => !known?.destroyed.has(n));
  // Before the log is kept: after a crash between the two the same entries come again.
  await forget(
    s,
    gone.map((n) => grownLog.entries[n] ?? fail("altered", "what was destroyed is no entry")),
  );
  if (raw.length > 0 || !known) await keep(s, grownLog, encoded, raw, have.length);
  return raw.length;
}

/**
 * The receipt of a log's first entry, whose head is the newest that the home member knows. One that is older than another log's, proved before this one
 * was asked for, hides what came meanwhile; a home member that was just changed may be a moment behind.
 */
async function newest(s: Session, log: Bytes): Promise<{ proof: Verified; encoded: Bytes }> {
  for (let again = false; ; again = true) {
    const seen = heightOf(s);
    const got = await first(s, log);
    if (got.proof.height >= seen) return got;
    if (again) return fail("behind", `the home member shows block ${got.proof.height}, and has shown ${seen}`);
  }
}

async function first(s: Session, log: Bytes): Promise<{ proof: Verified; encoded: Bytes }> {
  try {
    return await receiptOf(s, log, 0);
  } catch (e) {
    return kindOf(e) === "not-shared" ? fail("not-enrolled", "the patient has no such log on this network") : Promise.reject(e);
  }
}

/** Of the newest header that a log was proved under. */
const heightOf = (s: Session): number => Math.max(0, ...[...s.logs.values()].map((l) => l.proof.height));

/** Appends entries and compares the root with the one that the validators signed. */
function prove(section: SectionName, proof: Verified, known: ProvenLog | undefined, raw: { block: number; encoded: Bytes }[]): ProvenLog {
  const { log, head } = proof;
  const have = known?.entries ?? [];
  const frontier = grown(
    known?.frontier ?? emptyFrontier(),
    raw.map((e, i) => entryHash(log, have.length + i, e.encoded)),
  );
  if (frontier.size !== head.size || !equal(rootOfFrontier(frontier), head.root))
    return fail("altered", `the home member shows ${frontier.size} entries that are not the ${head.size} which the validators signed`);
  const entries = raw.map((e, i) => ({ ...decodeEntry(log, have.length + i, e.encoded), block: e.block }));
  if (entries.some((e) => e.block > proof.height)) return fail("altered", "an entry of a block that is not there yet");
  const orders = entries.flatMap((e) => (e.says.kind === "erase-destroy" ? entriesIn(e.says.ranges) : []));
  const destroyed = orders.length > 0 ? new Set([...(known?.destroyed ?? []), ...orders]) : (known?.destroyed ?? new Set<number>());
  return { section, log, head, entries: [...have, ...entries], destroyed, frontier, proof };
}

async function keep(s: Session, l: ProvenLog, receipt: Bytes, raw: { block: number; encoded: Bytes }[], from: number): Promise<void> {
  const key = hex(l.log);
  const old = from > 0 ? await s.store.get<Kept>("logs", key) : undefined;
  const kept: Kept = {
    receipt,
    blocks: [...(old?.blocks ?? []), ...raw.map((e) => e.block)],
    entries: [...(old?.entries ?? []), ...raw.map((e) => e.encoded)],
  };
  await s.store.cache("logs", [[key, kept]]);
}

/** What is kept of a log, if it proves. What doesn't is fetched anew. */
async function restore(s: Session, section: SectionName, log: Bytes): Promise<ProvenLog | undefined> {
  const kept = await s.store.get<Kept>("logs", hex(log));
  if (!kept) return undefined;
  try {
    const proof = await verifyReceipt(decodeReceipt(kept.receipt), s.genesis, s.agreed);
    if (!equal(proof.log, log)) return undefined;
    const raw = kept.entries.map((encoded, i) => ({ block: kept.blocks[i] ?? 0, encoded }));
    return prove(section, proof, undefined, raw);
  } catch (e) {
    if (kindOf(e) === "altered") return undefined;
    throw e;
  }
}

/** Takes the logs from what is kept in the browser, without asking anybody. False if one is not there. */
export async function restoreLogs(s: Session): Promise<boolean> {
  await each(sections, atOnce, async (section) => {
    const l = await restore(s, section, (await s.patient.section(section)).log);
    if (l) s.logs.set(section, l);
  });
  return s.logs.size === sections.length;
}

/** A log as the last sync proved it. */
export function logOf(s: Session, section: SectionName): ProvenLog {
  return s.logs.get(section) ?? fail("not-enrolled", "no log was proved yet: sync first");
}

/** What the proofs of all logs have in common: the fewest signatures, and the oldest header. What came after that may be missing in the log it came to. */
export function provenBy(s: Session): { height: number; upTo: number; signed: number; of: number } {
  const proofs = [...s.logs.values()].map((l) => l.proof);
  return {
    height: Math.min(...proofs.map((p) => p.height)),
    upTo: Math.min(...proofs.map((p) => p.at)),
    signed: Math.min(...proofs.map((p) => p.signed)),
    of: s.genesis.validators.length,
  };
}
