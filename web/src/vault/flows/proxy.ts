/** One person reads for another (spec/proxy.md): the invitation, what the patient grants for it, and the answer. How a proxy reads is in reads.ts. */

import type { Final, Invited, ProxyShare, ReadsFor } from "../api.ts";
import { equal, hex, random, unhex } from "../bytes.ts";
import { fail } from "../failure.ts";
import {
  answerText,
  type Invitation,
  openInvitation,
  openProxyAnswer,
  proxyKeys,
  readAnswerText,
  readInvitationText,
  sealInvitation,
  sealProxyAnswer,
} from "../grant/proxy.ts";
import { bySection, limits, line, within } from "../grant/sealed.ts";
import { readRight } from "../ledger/terms.ts";
import { clinicalSections, proxyPurposes } from "../names.ts";
import { type Reads, readNotes, writeNote } from "./notes.ts";
import type { Session } from "./session.ts";
import { give, grants } from "./sharing.ts";
import { logOf, proofOf, syncLogs } from "./sync.ts";

/** The text by which this person lets somebody share with them. Nothing of it is kept: an answer brings its id. */
export async function invite(s: Session, name: string): Promise<{ text: string }> {
  const { blob, text } = await sealInvitation(s.patient, random(16), name);
  await s.home.putBlob(blob);
  return { text };
}

async function invitationOf(s: Session, text: string): Promise<Invitation> {
  const { hash, code } = readInvitationText(text);
  return openInvitation(s.genesis.network, code, await s.home.blob(hash));
}

/** Who invites, for the patient to see before anything is granted. */
export async function invited(s: Session, text: string): Promise<Invited> {
  const { id, name, keys } = await invitationOf(s, text);
  const own = await (await proxyKeys(s.patient, unhex(id, 16))).grantee("summary");
  return equal(own.public, keys.get("summary")!) ? fail("invalid", "an invitation of one's own") : { id, name };
}

/** Lets the person of an invitation read sections. */
export async function shareWithProxy(s: Session, x: ProxyShare): Promise<Final> {
  const patient = within(line(x.patient), limits.name);
  const sections = clinicalSections.filter((c) => x.sections.includes(c));
  if (patient === "" || sections.length === 0 || !proxyPurposes.some((p) => p === x.purpose))
    return fail("invalid", "a share without its parts");
  if (x.until && x.until <= Date.now()) return fail("invalid", "a share that is over");
  const i = await invitationOf(s, x.text);
  const purpose = x.purpose;
  const keys = clinicalSections.map((section) => ({ section, key: i.keys.get(section)! }));
  const note = { proxy: { id: i.id, name: i.name, patient, purpose, exchange: i.exchange, keys } };
  const { final } = await give(s, { purpose, sections, rights: ["read"], until: x.until }, i.exchange, (c) => i.keys.get(c)!, note);
  return final;
}

/** The text that tells a proxy's app where the grants stand which are in force now. */
export async function answerProxy(s: Session, id: string): Promise<{ text: string }> {
  const proxy =
    [...(await readNotes(s)).names.values()].find((n) => n.proxy?.id === id)?.proxy ?? fail("not-shared", "there is no such proxy");
  const theirs = (await grants(s)).filter((g) => g.to.kind === "proxy" && g.to.id === id && ["in-force", "not-yet"].includes(g.state));
  const given = [...new Map(theirs.map((g) => [g.section, { section: g.section, log: logOf(s, g.section).log, entry: g.entry }])).values()];
  if (given.length === 0) return fail("not-shared", "nothing is shared with that person");
  const at = unhex(id, 16);
  const { name, patient, purpose } = proxy;
  const sealed = await sealProxyAnswer(s.genesis.network, proxy.exchange, at, {
    id,
    name,
    patient,
    purpose,
    given: given.sort((a, b) => bySection(a.section, b.section)),
  });
  await s.home.putBlob(sealed);
  return { text: answerText(at, sealed) };
}

/** Takes an answer to an invitation of this person's: each grant is proved, and its key is the invitation's. */
export async function acceptProxy(s: Session, text: string): Promise<ReadsFor> {
  const { id, hash } = readAnswerText(text);
  const keys = await proxyKeys(s.patient, id);
  const answer = await openProxyAnswer(keys.exchange, s.genesis.network, id, await s.home.blob(hash)).catch(() =>
    fail("proxy-code", "the answer is for another's invitation"),
  );
  for (const g of answer.given) {
    const { says } = (await proofOf(s, g.log, g.entry)).entry;
    const key = (await keys.grantee(g.section)).public;
    if (says.kind !== "grant" || !equal(says.terms.key, key) || (says.terms.rights & readRight) === 0)
      return fail("altered", "an answer that names no grant to this person");
  }
  await writeNote(s, { reads: answer });
  await syncLogs(s, ["index"]);
  s.others.delete(hex(id));
  return readsFor(answer);
}

const readsFor = ({ id, patient, purpose, given }: Reads): ReadsFor => ({
  id,
  name: patient,
  purpose,
  sections: given.map((g) => g.section),
});

/** Whose charts this person reads. */
export const readsAll = async (s: Session): Promise<ReadsFor[]> => [...(await readNotes(s)).reads.values()].map(readsFor);
