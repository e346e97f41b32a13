/** HPKE (RFC 9180) in base mode with X-Wing (0x647a), HKDF-SHA256 and AES-256-GCM. Sealed: encapsulated key, then ciphertext. */

import { type Bytes, concat, unhex, utf8, wipe } from "../bytes.ts";
import { fail } from "../failure.ts";
import { hkdfExpand, hkdfExtract } from "./derive.ts";
import { type Decapsulator, encapsSize, encapsulate } from "./xwing.ts";

export const overhead = encapsSize + 16; // bytes that sealing adds

const suite = concat(utf8("HPKE"), unhex("647a00010002"));
const version = utf8("HPKE-v1");
const none = new Uint8Array(0);

const labeledExtract = (salt: Uint8Array, label: string, ikm: Uint8Array): Bytes =>
  hkdfExtract(salt, concat(version, suite, utf8(label), ikm));

const labeledExpand = (prk: Uint8Array, label: string, info: Uint8Array, n: number): Bytes =>
  hkdfExpand(prk, concat(new Uint8Array([n >> 8, n & 255]), version, suite, utf8(label), info), n);

const noPsk = labeledExtract(none, "psk_id_hash", none);

/** There are few uses, and a chart asks for one of them thousands of times. */
const contexts = new Map<string, Bytes>();

function contextOf(info: string): Bytes {
  const context = contexts.get(info) ?? concat(new Uint8Array([0]), noPsk, labeledExtract(none, "info_hash", utf8(info)));
  contexts.set(info, context);
  return context;
}

/** Key and nonce of the first and only message under a shared secret. */
async function schedule(shared: Bytes, info: string, use: "encrypt" | "decrypt"): Promise<{ key: CryptoKey; nonce: Bytes }> {
  const context = contextOf(info);
  const secret = labeledExtract(shared, "secret", none);
  wipe(shared);
  const raw = labeledExpand(secret, "key", context, 32);
  const nonce = labeledExpand(secret, "base_nonce", context, 12);
  const key = await crypto.subtle.importKey("raw", raw, "AES-GCM", false, [use]);
  wipe(raw, secret);
  return { key, nonce };
}

/** Encrypts to an exchange key. info names the protocol's use, aad its context. */
export async function seal(to: Bytes, info: string, aad: Bytes, plain: Bytes, native = true): Promise<Bytes> {
  const { secret, encapsulated } = await encapsulate(to, native);
  const { key, nonce } = await schedule(secret, info, "encrypt");
  const cipher = await crypto.subtle.encrypt({ name: "AES-GCM", iv: nonce, additionalData: aad }, key, plain);
  return concat(encapsulated, new Uint8Array(cipher));
}

/** The inverse of seal, with the key or the one before it. The failure never tells whether key, context or bytes are wrong. */
export async function open(by: Decapsulator, info: string, aad: Bytes, sealed: Bytes): Promise<Bytes> {
  if (!by.before) return openWith(by, info, aad, sealed);
  try {
    return await openWith(by, info, aad, sealed);
  } catch {
    return openWith(by.before, info, aad, sealed);
  }
}

async function openWith(by: Decapsulator, info: string, aad: Bytes, sealed: Bytes): Promise<Bytes> {
  if (sealed.length < overhead) return fail("altered", "a sealed message is too short");
  try {
    const { key, nonce } = await schedule(await by.decapsulate(sealed.slice(0, encapsSize)), info, "decrypt");
    const plain = await crypto.subtle.decrypt({ name: "AES-GCM", iv: nonce, additionalData: aad }, key, sealed.slice(encapsSize));
    return new Uint8Array(plain);
  } catch {
    return fail("altered", "a sealed message does not open");
  }
}
