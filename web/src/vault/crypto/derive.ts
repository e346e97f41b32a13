/** Keys of secrets (spec/keys.md): HKDF-SHA256 with the use as salt and its context as info. */

import { expand, extract } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { type Bytes, utf8, wipe } from "../bytes.ts";

/** HKDF-Extract and -Expand (RFC 5869) with SHA-256. */
export const hkdfExtract = (salt: Uint8Array, ikm: Uint8Array): Bytes => extract(sha256, ikm, salt) as Bytes;
export const hkdfExpand = (prk: Uint8Array, info: Uint8Array, n: number): Bytes => expand(sha256, prk, info, n) as Bytes;

/** A secret that derives and doesn't give itself away: the browser holds it, non-extractable. */
export interface Secret {
  derive(use: string, context: Uint8Array): Promise<Bytes>;
}

/** Takes over a secret of 32 bytes and overwrites it. */
export async function secretOf(raw: Bytes): Promise<Secret> {
  const key = await crypto.subtle.importKey("raw", raw, "HKDF", false, ["deriveBits"]);
  wipe(raw);
  return {
    derive: async (use, context) => {
      const p = { name: "HKDF", hash: "SHA-256", salt: utf8(use), info: new Uint8Array(context) };
      return new Uint8Array(await crypto.subtle.deriveBits(p, key, 256));
    },
  };
}
