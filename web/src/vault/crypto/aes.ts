/** AES-256-GCM with a drawn nonce, for what this browser keeps for itself. */

import { type Bytes, random, wipe } from "../bytes.ts";

export interface Sealed {
  nonce: Bytes;
  cipher: Bytes;
}

/** Takes over 32 bytes and overwrites them. */
export async function aes(raw: Bytes): Promise<CryptoKey> {
  const key = await crypto.subtle.importKey("raw", raw, "AES-GCM", false, ["encrypt", "decrypt"]);
  wipe(raw);
  return key;
}

export async function sealWith(key: CryptoKey, aad: Bytes, plain: Bytes): Promise<Sealed> {
  const nonce = random(12);
  const cipher = await crypto.subtle.encrypt({ name: "AES-GCM", iv: nonce, additionalData: aad }, key, plain);
  return { nonce, cipher: new Uint8Array(cipher) };
}

/** null if it was sealed with another key or for something else, or is altered. */
export async function openWith(key: CryptoKey, aad: Bytes, s: Sealed): Promise<Bytes | null> {
  try {
    return new Uint8Array(await crypto.subtle.decrypt({ name: "AES-GCM", iv: s.nonce, additionalData: aad }, key, s.cipher));
  } catch {
    return null;
  }
}
