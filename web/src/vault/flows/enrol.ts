/**
 * Makes a log for every section of the patient, also for those that stay empty, so that a missing one tells nothing; for who claims a chart the index
 * alone. Logs that exist are left alone: it can be repeated.
 */

import type { Final } from "../api.ts";
import { kindOf } from "../failure.ts";
import { exchangeHash } from "../keys.ts";
import type { Operation } from "../ledger/operation.ts";
import { type SectionName, sections } from "../names.ts";
import { buyTicket, createSubject } from "../ticket.ts";
import { each, type Session } from "./session.ts";
import { place, signed, submit } from "./submit.ts";
import { proofOf, provenBy, syncLogs } from "./sync.ts";

const atOnce = 4;

export async function enrol(s: Session, which: readonly SectionName[] = sections): Promise<Final> {
  const missing: Operation[] = [];
  let done = 0;
  await each(which, atOnce, async (section) => {
    const o = await prepare(s, section);
    if (o) missing.push(o);
    s.progress({ step: "enrolling", done: ++done, of: which.length });
  });
  const final = missing.length > 0 ? await place(s, missing, await submit(s, missing)) : null;
  await syncLogs(s, which);
  const by = provenBy(s);
  return final ?? { block: by.height, signed: by.signed, of: by.of };
}

/** Whether the patient has logs on this network. */
export async function isEnrolled(s: Session): Promise<boolean> {
  return hasLog(s, "demographics");
}

/** Whether the patient has a log for a section. */
export async function hasLog(s: Session, section: SectionName): Promise<boolean> {
  try {
    await proofOf(s, (await s.patient.section(section)).log, 0);
    return true;
  } catch (e) {
    if (kindOf(e) === "not-shared") return false;
    throw e;
  }
}

/** The operation that makes a section's log, after its public keys are durable; null if the log is there. */
async function prepare(s: Session, section: SectionName): Promise<Operation | null> {
  if (await hasLog(s, section)) return null;
  const k = await s.patient.section(section);
  const reader = await k.readerPublic(1);
  await s.home.putBlob(reader);
  await s.home.putBlob(k.exchange.public);
  const issuer = s.genesis.members[s.member]!.tickets;
  const ticket = await buyTicket(s.member, issuer, createSubject(k.log), (blinded) => s.home.ticket(blinded));
  return signed(s, k.owner, k.log, { kind: "create", salt: k.salt, epochKey: exchangeHash(reader), ticket });
}
