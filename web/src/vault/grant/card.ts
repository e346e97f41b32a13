/** The claim card (spec/claim-card.md): 40 bytes as 64 characters of Crockford's base32. It is a secret. */

import { type Bytes, concat, equal, hex, sha256, utf8 } from "../bytes.ts";
import { fail } from "../failure.ts";
import { reader } from "../wire.ts";

export interface ClaimCard {
  network: Bytes; // the first three bytes of its id
  member: number; // the custodian
  chart: string;
  secret: Bytes;
}

const letters = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const uri = "vitalog:claim?";
const size = 64; // characters

/** Reads what people type, or the link of the QR code. No character is guessed. */
export function parseCard(typed: string): ClaimCard {
  const given = typed.trim();
  const code = (given.toLowerCase().startsWith(uri) ? given.slice(uri.length) : given).replace(/[\s-]/g, "").toUpperCase();
  const plain = code.replaceAll("O", "0").replace(/[IL]/g, "1");
  if (plain.length !== size) return fail("card", `${plain.length} characters`);
  const b = bytesOf(plain);
  const r = reader(b, "claim card");
  if (r.u8() !== 1) return fail("card-version", "a card of another version");
  const card = { network: r.fixed(3), member: r.u16(), chart: uuid(r.fixed(16)), secret: r.fixed(16) };
  const sum = sha256(concat(utf8("vitalog/v1/claim-card"), b.slice(0, 38)));
  return equal(r.fixed(2), sum.slice(0, 2)) ? card : fail("card", "a checksum that does not fit");
}

function bytesOf(code: string): Bytes {
  const out = new Uint8Array((code.length * 5) / 8);
  let [bits, n, at] = [0, 0, 0];
  for (const c of code) {
    const v = letters.indexOf(c);
    if (v < 0) return fail("card", "a character that no card has");
    bits = ((bits << 5) | v) & 0xfff;
    n += 5;
    if (n < 8) continue;
    n -= 8;
    out[at++] = (bits >> n) & 0xff;
  }
  return out;
}

function uuid(b: Bytes): string {
  const h = hex(b);
  return [h.slice(0, 8), h.slice(8, 12), h.slice(12, 16), h.slice(16, 20), h.slice(20)].join("-");
}
