/**
 * Takes a chart over from its custodian (spec/claim.md). Each step is on the ledger before the next, and what is done is found: a claim that broke off goes
 * on, with the card until the patient's index has the root in custody, without it from there on.
 */

import { equal } from "../bytes.ts";
import type { NewItem } from "../chart/content.ts";
import { type Claim, claimedOf, custodyOf } from "../claimed.ts";
import { fail, kindOf } from "../failure.ts";
import { type ClaimCard, parseCard } from "../grant/card.ts";
import { openAnswer, sealClaim } from "../grant/claim.ts";
import { exchangeHash, type Patient } from "../keys.ts";
import { type Operation, rekeyed } from "../ledger/operation.ts";
import { readRight } from "../ledger/terms.ts";
import { clinicalSections, rights, sections } from "../names.ts";
import { enrol, hasLog } from "./enrol.ts";
import { readNotes, writeNote } from "./notes.ts";
import { openRecords } from "./open.ts";
import type { Session } from "./session.ts";
import { rotate } from "./sharing.ts";
import { place, signed, submit } from "./submit.ts";
import { logOf, proofOf, syncLogs } from "./sync.ts";

/** The chart that these keys claimed, by the patient's own index; null: none. */
export async function claimOf(s: Session): Promise<Claim | null> {
  if (!(await hasLog(s, "index"))) return null;
  await syncLogs(s, ["index"]);
  const notes = await readNotes(s);
  if (!notes.claim && notes.unread > 0) return fail("altered", "notes don't open: whether a chart was claimed can't be told");
  return notes.claim;
}

/** Has the root handed over and writes it into the patient's index, with what the custodian noted. It is not on the ledger before. */
export async function beginClaim(s: Session, typed: string): Promise<Claim> {
  const card = parseCard(typed);
  if (!equal(card.network, s.genesis.network.slice(0, 3)) || !s.genesis.members[card.member])
    return fail("card-network", "a card of another network");
  if (await hasLog(s, "demographics")) return fail("conflict", "these keys have a record of their own");
  const claim = await handed(s, card);
  const custody = await custodyOf(s.genesis.network, claim);
  if (custody.chart !== card.chart) return fail("altered", "the keys of another chart were handed over");
  for (const section of clinicalSections) claim.epochs.set(section, (await headOf(s, custody, section)).epoch);
  await enrol(s, ["index"]);
  await writeNote(s, { claim }, await notesOf(s, custody));
  return claim;
}

async function handed(s: Session, card: ClaimCard): Promise<Claim> {
  const member = s.genesis.members[card.member]!;
  const reply = (await (await s.patient.claiming(card.chart)).section("inbox")).exchange;
  const sealed = await sealClaim(s.genesis.network, card, member.exchange, reply.public);
  s.progress({ step: "claiming", done: 0, of: 1 });
  const answer = await s.home.claim(card.member, sealed);
  return { root: await openAnswer(s.genesis.network, member.sign, reply, sealed, answer), epochs: new Map() };
}

const headOf = async (s: Session, p: Patient, section: (typeof sections)[number]) =>
  (await proofOf(s, (await p.section(section)).log, 0)).head;

/** The notes of the custody's index, to be written into the patient's own. Of one that doesn't open, the keys have no name. */
async function notesOf(s: Session, custody: Patient): Promise<NewItem[]> {
  const old = { ...s, patient: { ...custody, local: s.patient.local }, logs: new Map(), opened: new Map(), notes: null };
  await syncLogs(old, ["index"]);
  const { opened } = await openRecords(old, [logOf(old, "index")]);
  return opened
    .flatMap((o) => o.content.items)
    .filter((i) => i.status !== "deleted")
    .map(({ type, id, json }) => ({ type, id, json, supersedes: [] }));
}

/** Puts the patient's keys in the place of the custodian's, everywhere. Returns the claim with the epochs as they are. */
export async function takeOver(s: Session, claim: Claim): Promise<Claim> {
  const custody = await custodyOf(s.genesis.network, claim);
  const own = s.patient;
  const index = (await (await own.claiming(custody.chart)).section("index")).owner;
  const taken = await claimedOf(own, claim);
  const ops: Operation[] = [];
  for (const section of sections) {
    const [k, next] = [await custody.section(section), section === "index" ? index : (await taken.section(section)).owner];
    const { owners } = await headOf(s, custody, section);
    if (owners.some((o) => equal(o, next.public))) continue;
    if (!owners.some((o) => equal(o, k.owner.public))) return fail("claimed-other", "a log has the key of somebody else");
    ops.push(await signed(s, k.owner, k.log, await rekeyed(s.genesis.network, k.log, k.owner.public, next)));
  }
  if (ops.length > 0) await place(s, ops, await submit(s, ops));
  return corrected(s, claim, custody);
}

/** Writes the epochs down again if the custodian began one in the moment before it had no say any more. */
async function corrected(s: Session, claim: Claim, custody: Patient): Promise<Claim> {
  const epochs = new Map(claim.epochs);
  for (const section of clinicalSections) {
    const head = await headOf(s, custody, section);
    const theirs = exchangeHash(await (await custody.section(section)).readerPublic(head.epoch));
    if (head.epoch !== epochs.get(section) && equal(head.epochKey, theirs)) epochs.set(section, head.epoch);
  }
  const next = { root: claim.root, epochs };
  if (clinicalSections.some((x) => epochs.get(x) !== claim.epochs.get(x))) await writeNote(s, { claim: next });
  return next;
}

/** Begins an epoch of the patient's own keys where there is none, and tells all who hold a grant. The session's patient has the claim's keys. */
export async function turn(s: Session): Promise<void> {
  for (const section of sections) if (section !== "index") await s.home.putBlob((await s.patient.section(section)).exchange.public);
  await syncLogs(s);
  const lacking = clinicalSections.filter((x) => logOf(s, x).head.epoch <= s.patient.claimed!.get(x)!);
  if (lacking.length > 0) await rotate(s, lacking, readRight | rights.write);
}

/** Whether every section has the patient's keys. */
export async function isTaken(s: Session): Promise<boolean> {
  try {
    for (const x of clinicalSections) if ((await headOf(s, s.patient, x)).epoch <= (s.patient.claimed?.get(x) ?? 0)) return false;
    return true;
  } catch (e) {
    return kindOf(e) === "not-shared" ? false : Promise.reject(e);
  }
}
