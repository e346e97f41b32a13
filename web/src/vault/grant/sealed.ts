/** Sealed messages around grants (spec/grant.md): padded to classes of 512 bytes, so that a length tells no name; text that can't deceive. */

import { type Bytes, utf8 } from "../bytes.ts";
import { open, overhead, seal } from "../crypto/hpke.ts";
import type { Decapsulator } from "../crypto/xwing.ts";
import { fail } from "../failure.ts";
import { type SectionName, sectionName, sectionNumber } from "../names.ts";
import { type Reader, reader, times, type Writer, writer } from "../wire.ts";

export const maxSealed = 256 << 10;
const padTo = 512;
const version = 1;
export const limits = { purpose: 16, id: 64, label: 128, name: 256, reason: 4096 };

const padding = (n: number): number => (padTo - ((4 + n) % padTo)) % padTo;

/** A length, what it says and zeros, up to a class of lengths. */
export const pad = (plain: Bytes): Bytes =>
  writer()
    .bytes(plain)
    .fixed(new Uint8Array(padding(plain.length)))
    .done();

export function unpad(padded: Bytes, what: string): Bytes {
  const r = reader(padded, what);
  const plain = r.bytes(maxSealed);
  const rest = r.fixed(padding(plain.length));
  r.end();
  return rest.some((x) => x !== 0) ? fail("altered", `${what}: padding`) : plain;
}

export async function sealMessage(to: Bytes, info: string, aad: Bytes, plain: Bytes): Promise<Bytes> {
  const padded = pad(plain);
  if (padded.length + overhead > maxSealed) return fail("invalid", `a sealed message of more than ${maxSealed} bytes`);
  return seal(to, info, aad, padded);
}

export async function openMessage(by: Decapsulator, info: string, aad: Bytes, sealed: Bytes): Promise<Bytes> {
  if (sealed.length > maxSealed) return fail("altered", `a sealed message of more than ${maxSealed} bytes`);
  return unpad(await open(by, info, aad, sealed), info);
}

/** What was signed, and the signature after it. */
export function splitSignature(b: Bytes): { unsigned: Bytes; signature: Bytes } {
  if (b.length < 64) return fail("altered", "a message without a signature");
  return { unsigned: b.slice(0, -64), signature: b.slice(-64) };
}

export function readVersion(r: Reader): void {
  const v = r.u8();
  if (v !== version) fail("altered", `format version ${v}, this program reads ${version}`);
}

export const writeVersion = (): Writer => writer().u8(version);

export function readPurpose(r: Reader): string {
  const p = r.text(limits.purpose);
  return /^[A-Z0-9]+$/.test(p) ? p : fail("altered", "a purpose of use that is none");
}

// Bidirectional controls would let a name or a reason read otherwise than it is written.
const forbidden = /[\p{Cc}\p{Bidi_Control}]/u;

export function readLine(r: Reader, limit: number): string {
  const s = r.text(limit);
  return forbidden.test(s) ? fail("altered", "a control character in a text") : s;
}

/** Text that may have several lines. */
export function readLines(r: Reader, limit: number): string {
  const s = r.text(limit);
  return forbidden.test(s.replaceAll("\n", "")) ? fail("altered", "a control character in a text") : s;
}

/** Refuses what a person typed if it has more bytes than its field. */
export const within = (s: string, limit: number): string =>
  utf8(s).length <= limit ? s : fail("invalid", `a text of more than ${limit} bytes`);

/** What a person typed, as a line that every reader takes. */
export const line = (s: string): string => s.replace(/[\p{Cc}\p{Bidi_Control}]+/gu, " ").trim();
export const lines = (s: string): string => s.split("\n").map(line).join("\n").trim();

export function readSection(r: Reader): SectionName {
  const n = r.u8();
  return sectionName(n) ?? fail("altered", `section ${n} is not known`);
}

export function readSections(r: Reader): SectionName[] {
  const out = times(r.u8(), () => readSection(r));
  out.forEach((s, i) => {
    if (i > 0 && sectionNumber(s) <= sectionNumber(out[i - 1]!)) fail("altered", "sections out of order");
  });
  return out;
}

export function writeSections(w: Writer, sections: SectionName[]): Writer {
  w.u8(sections.length);
  for (const s of sections) w.u8(sectionNumber(s));
  return w;
}

export const bySection = (a: SectionName, b: SectionName): number => sectionNumber(a) - sectionNumber(b);
