/** Codes that people type (spec/claim-card.md): 40 bytes as 64 characters of Crockford's base32. The last two bytes are a checksum. */

import type { Failure } from "../api.ts";
import { type Bytes, concat, equal, sha256, utf8 } from "../bytes.ts";
import { fail } from "../failure.ts";

const letters = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const size = 64; // characters

/** Reads what people type, or the link of a QR code; its checksum isn't looked at. No character is guessed. */
export function readCode(typed: string, link: string, bad: Failure): Bytes {
  const given = typed.trim();
  const code = (given.toLowerCase().startsWith(link) ? given.slice(link.length) : given).replace(/[\s-]/g, "").toUpperCase();
  const plain = code.replaceAll("O", "0").replace(/[IL]/g, "1");
  if (plain.length !== size) return fail(bad, `${plain.length} characters`);
  const b = new Uint8Array((size * 5) / 8);
  let [bits, n, at] = [0, 0, 0];
  for (const c of plain) {
    const v = letters.indexOf(c);
    if (v < 0) return fail(bad, "a character that no code has");
    bits = ((bits << 5) | v) & 0xfff;
    n += 5;
    if (n < 8) continue;
    n -= 8;
    b[at++] = (bits >> n) & 0xff;
  }
  return b;
}

export function check(code: Bytes, domain: string, bad: Failure): void {
  if (!equal(code.slice(-2), checksum(domain, code.slice(0, -2)))) fail(bad, "a checksum that does not fit");
}

/** The characters of 38 bytes and their checksum. */
export function writeCode(content: Bytes, domain: string): string {
  const b = concat(content, checksum(domain, content));
  let [bits, n, out] = [0, 0, ""];
  for (const x of b) {
    bits = ((bits << 8) | x) & 0xfff;
    for (n += 8; n >= 5; n -= 5) out += letters[(bits >> (n - 5)) & 31];
  }
  return out;
}

const checksum = (domain: string, content: Bytes): Bytes => sha256(concat(utf8(domain), content)).slice(0, 2);
