/**
 * Admission tickets: the home member's blind signature over a subject that it does not see (RFC 9474, RSABSSA-SHA384-PSS-Randomized; spec/operations.md).
 * Nobody, the issuer included, can tell from a ticket when it was issued.
 */

import { sha384 } from "@noble/hashes/sha2.js";
import { type Bytes, concat, random, unbase64url } from "./bytes.ts";
import { fail } from "./failure.ts";
import { sum, writer } from "./wire.ts";

const size = 256; // bytes of an RSA key of 2048 bits
const saltSize = 48;

export const createSubject = (log: Bytes): Bytes => sum("vitalog/v1/ticket/create", log);
export const postSubject = (log: Bytes, signer: Bytes): Bytes => sum("vitalog/v1/ticket/post", log, signer);

/** Gets a ticket for a subject: `issue` hands what is blinded to the member and returns its signature. */
export async function buyTicket(issuer: number, der: Bytes, subject: Bytes, issue: (blinded: Bytes) => Promise<Bytes>): Promise<Bytes> {
  const key = await crypto.subtle.importKey("spki", der, { name: "RSA-PSS", hash: "SHA-384" }, true, ["verify"]);
  const { n, e } = await modulus(key);
  const prefix = random(32);
  const message = concat(prefix, subject);
  const m = toInt(encodePss(message, bits(n) - 1));
  const [r, inverse] = blinding(n);
  const blinded = (m * power(r, e, n)) % n;
  const signature = toBytes((toInt(await issue(toBytes(blinded))) * inverse) % n);
  if (!(await crypto.subtle.verify({ name: "RSA-PSS", saltLength: saltSize }, key, signature, message)))
    return fail("altered", "the home member's admission ticket does not verify");
  return writer().u16(issuer).fixed(prefix).fixed(signature).done();
}

async function modulus(key: CryptoKey): Promise<{ n: bigint; e: bigint }> {
  const jwk = await crypto.subtle.exportKey("jwk", key);
  const int = (s = ""): bigint => toInt(unbase64url(s));
  const n = int(jwk.n);
  return bits(n) === 8 * size ? { n, e: int(jwk.e) } : fail("altered", "a ticket key that is not RSA of 2048 bits");
}

/** EMSA-PSS (RFC 8017, 9.1.1) with SHA-384 and a salt of its length. */
function encodePss(message: Bytes, emBits: number): Bytes {
  const emLen = Math.ceil(emBits / 8);
  const salt = random(saltSize);
  const h = sha384(concat(new Uint8Array(8), sha384(message), salt));
  const db = new Uint8Array(emLen - h.length - 1);
  db[db.length - saltSize - 1] = 1;
  db.set(salt, db.length - saltSize);
  const mask = mgf1(h, db.length);
  const masked = db.map((x, i) => x ^ mask[i]!);
  masked[0]! &= 0xff >> (8 * emLen - emBits);
  return concat(masked, h, new Uint8Array([0xbc]));
}

function mgf1(seed: Uint8Array, n: number): Bytes {
  const parts: Uint8Array[] = [];
  for (let i = 0; i * 48 < n; i++) parts.push(sha384(concat(seed, writer().u32(i).done())));
  return concat(...parts).slice(0, n);
}

const toInt = (b: Uint8Array): bigint => b.reduce((x, y) => (x << 8n) | BigInt(y), 0n);
const toBytes = (x: bigint): Bytes => Uint8Array.from({ length: size }, (_, i) => Number((x >> BigInt(8 * (size - 1 - i))) & 255n));
const bits = (x: bigint): number => x.toString(2).length;

function power(b: bigint, e: bigint, n: bigint): bigint {
  let out = 1n;
  let x = b % n;
  for (let k = e; k > 0n; k >>= 1n, x = (x * x) % n) if (k & 1n) out = (out * x) % n;
  return out;
}

/** A random factor and its inverse. */
function blinding(n: bigint): [bigint, bigint] {
  for (;;) {
    const r = toInt(random(size)) % n;
    let [a, b, x, y] = [r, n, 1n, 0n];
    while (b > 0n) [a, b, x, y] = [b, a % b, y, x - (a / b) * y];
    if (a === 1n) return [r, ((x % n) + n) % n];
  }
}
