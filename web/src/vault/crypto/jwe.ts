/** A file as a SMART Health Link carries it: JWE in compact form (RFC 7516), under a key that both ends have. */

import { type Bytes, base64url, concat, random, utf8 } from "../bytes.ts";

const tagSize = 16;

/** Encrypts one file; a link's key is used for no other. */
export async function encrypted(key: CryptoKey, contentType: string, plain: Bytes): Promise<Bytes> {
  const header = base64url(utf8(JSON.stringify({ alg: "dir", enc: "A256GCM", cty: contentType })));
  const iv = random(12);
  const sealed = new Uint8Array(await crypto.subtle.encrypt({ name: "AES-GCM", iv, additionalData: utf8(header) }, key, plain));
  const [cipher, tag] = [sealed.subarray(0, -tagSize), sealed.subarray(-tagSize)];
  return concat(utf8(`${header}..${base64url(iv)}.`), utf8(`${base64url(cipher)}.${base64url(tag)}`));
}
