/** Invitation and answer between a proxy and a patient (spec/proxy.md), and the proxy's keys. */

import { type Bytes, base64url, concat, equal, hex, sha256, unbase64url, utf8 } from "../bytes.ts";
import { aes, openWith, sealWith } from "../crypto/aes.ts";
import { type Signer, signerOf } from "../crypto/ed25519.ts";
import { type Decapsulator, decapsulatorOf, publicSize } from "../crypto/xwing.ts";
import { fail } from "../failure.ts";
import type { Patient } from "../keys.ts";
import { clinicalSections, type SectionName, sectionNumber } from "../names.ts";
import { reader, times } from "../wire.ts";
import {
  limits,
  line,
  openMessage,
  pad,
  readLine,
  readPurpose,
  readSection,
  readVersion,
  sealMessage,
  unpad,
  within,
  writeVersion,
} from "./sealed.ts";

const begins = { invitation: "vitalog:proxy?", answer: "vitalog:proxied?" };
const info = { invitation: "vitalog/v1/proxy/invitation", answer: "vitalog/v1/proxy/answer" };
const none = new Uint8Array(0);
const idSize = 16;

/** What a proxy's root makes for one invitation. */
export interface ProxyKeys {
  exchange: Decapsulator;
  code: Bytes;
  grantee(s: SectionName): Promise<Signer>;
}

export async function proxyKeys(p: Patient, id: Bytes): Promise<ProxyKeys> {
  const secret = await p.invitation(id);
  return {
    exchange: await decapsulatorOf(await secret.derive("vitalog/v1/proxy/exchange", none)),
    code: await secret.derive("vitalog/v1/proxy/code", none),
    grantee: async (s) => signerOf(await secret.derive("vitalog/v1/proxy/grantee", new Uint8Array([sectionNumber(s)]))),
  };
}

/** Who would read, and with which keys. */
export interface Invitation {
  id: string; // hex
  name: string;
  exchange: Bytes;
  keys: Map<SectionName, Bytes>;
}

/** Bytes of a text of ours; null if it is none. */
function bytesOf(start: string, said: string, length: number): Bytes | null {
  const s = said.trim();
  if (!s.startsWith(start)) return null;
  try {
    const b = unbase64url(s.slice(start.length));
    return b.length === length && base64url(b) === s.slice(start.length) ? b : null;
  } catch {
    return null;
  }
}

/** The sealed invitation, and the text with which it is found and opened. */
export async function sealInvitation(p: Patient, id: Bytes, name: string): Promise<{ blob: Bytes; text: string }> {
  const said = within(line(name), limits.name);
  if (said === "") return fail("invalid", "an invitation without a name");
  const k = await proxyKeys(p, id);
  const w = writeVersion().fixed(p.network).fixed(id).text(said).fixed(k.exchange.public);
  for (const s of clinicalSections) w.fixed((await k.grantee(s)).public);
  const { nonce, cipher } = await sealWith(await aes(k.code.slice()), concat(utf8(info.invitation), p.network), pad(w.done()));
  const blob = concat(nonce, cipher);
  return { blob, text: begins.invitation + base64url(concat(sha256(blob), k.code)) };
}

/** Where an invitation lies, and what opens it. */
export function readInvitationText(said: string): { hash: Bytes; code: Bytes } {
  const b = bytesOf(begins.invitation, said, 64) ?? fail("proxy-code", "no invitation of a proxy");
  return { hash: b.slice(0, 32), code: b.slice(32) };
}

export async function openInvitation(network: Bytes, code: Bytes, blob: Bytes): Promise<Invitation> {
  const sealed = { nonce: blob.slice(0, 12), cipher: blob.slice(12) };
  const padded = await openWith(await aes(code.slice()), concat(utf8(info.invitation), network), sealed);
  const r = reader(unpad(padded ?? fail("proxy-code", "the invitation does not open on this network"), "invitation"), "invitation");
  readVersion(r);
  const inNetwork = r.fixed(32);
  const invitation = { id: hex(r.fixed(idSize)), name: readLine(r, limits.name), exchange: r.fixed(publicSize) };
  const keys = new Map(clinicalSections.map((s) => [s, r.fixed(32)] as const));
  r.end();
  if (!equal(inNetwork, network) || invitation.name === "") return fail("altered", "an invitation of another network, or without a name");
  if (new Set([...keys.values()].map(hex)).size !== keys.size) return fail("altered", "an invitation with one key for several sections");
  return { ...invitation, keys };
}

/** What a proxy may read of whom: where the grants stand. */
export interface Answer {
  id: string; // of the invitation, hex
  name: string; // the proxy's, as the invitation said
  patient: string;
  purpose: string;
  given: { section: SectionName; log: Bytes; entry: number }[];
}

export async function sealProxyAnswer(network: Bytes, to: Bytes, id: Bytes, a: Answer): Promise<Bytes> {
  const w = writeVersion().fixed(network).fixed(id).text(a.name).text(a.patient).text(a.purpose).u32(a.given.length);
  for (const g of a.given) w.u8(sectionNumber(g.section)).fixed(g.log).u64(g.entry);
  return sealMessage(to, info.answer, concat(network, id), w.done());
}

export const answerText = (id: Bytes, sealed: Bytes): string => begins.answer + base64url(concat(id, sha256(sealed)));

export function readAnswerText(said: string): { id: Bytes; hash: Bytes } {
  const b = bytesOf(begins.answer, said, idSize + 32) ?? fail("proxy-code", "no answer to an invitation");
  return { id: b.slice(0, idSize), hash: b.slice(idSize) };
}

export async function openProxyAnswer(by: Decapsulator, network: Bytes, id: Bytes, sealed: Bytes): Promise<Answer> {
  const r = reader(await openMessage(by, info.answer, concat(network, id), sealed), "answer");
  readVersion(r);
  const [inNetwork, inId] = [r.fixed(32), r.fixed(idSize)];
  const a = { id: hex(inId), name: readLine(r, limits.name), patient: readLine(r, limits.name), purpose: readPurpose(r) };
  const given = times(r.count(clinicalSections.length, 41), () => ({ section: readSection(r), log: r.fixed(32), entry: r.count64() }));
  r.end();
  const ascending = given.every((g, i) => i === 0 || sectionNumber(g.section) > sectionNumber(given[i - 1]!.section));
  if (
    !equal(inNetwork, network) ||
    !equal(inId, id) ||
    given.length === 0 ||
    !ascending ||
    given.some((g) => !clinicalSections.includes(g.section))
  )
    return fail("altered", "an answer to another invitation, or without its parts");
  return { ...a, given };
}
