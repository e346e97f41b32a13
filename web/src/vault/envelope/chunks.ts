/** The blob of an envelope: chunks of AES-256-GCM, each bound to its number and to being the last (STREAM, Hoang et al., CRYPTO 2015). */

import { type Bytes, concat, equal, sha256Large } from "../bytes.ts";
import { fail } from "../failure.ts";

export const chunkSize = 65536;
export const sealedSize = chunkSize + 16;

/** Opens or seals the chunks of one record. */
export interface Content {
  key: CryptoKey;
  context: Bytes; // CTX
}

function parameters(c: Content, index: number, last: boolean): AesGcmParams {
  const iv = new Uint8Array(12);
  new DataView(iv.buffer).setBigUint64(3, BigInt(index));
  iv[11] = last ? 1 : 0;
  return { name: "AES-GCM", iv, additionalData: c.context };
}

export const blobSize = (padded: number): number => padded + 16 * Math.ceil(padded / chunkSize);

/** One chunk, verified. */
export async function openChunk(c: Content, index: number, last: boolean, sealed: Bytes): Promise<Bytes> {
  try {
    return new Uint8Array(await crypto.subtle.decrypt(parameters(c, index, last), c.key, sealed));
  } catch {
    return fail("altered", `ciphertext does not verify in chunk ${index}`);
  }
}

/** The padded plaintext of a whole blob, which has the hash committed to. */
export async function openChunks(c: Content, blob: Bytes, padded: number, hash: Bytes): Promise<Bytes> {
  if (blob.length !== blobSize(padded)) return fail("altered", `ciphertext of ${blob.length} bytes, want ${blobSize(padded)}`);
  if (!equal(await sha256Large(blob), hash)) return fail("altered", "ciphertext that is not the one committed to");
  const n = Math.ceil(padded / chunkSize);
  const parts: Bytes[] = [];
  for (let i = 0; i < n; i++) parts.push(await openChunk(c, i, i === n - 1, blob.slice(i * sealedSize, (i + 1) * sealedSize)));
  return parts.length === 1 ? parts[0]! : concat(...parts);
}

export async function sealChunks(c: Content, padded: Bytes): Promise<Bytes> {
  const n = Math.ceil(padded.length / chunkSize);
  const parts: Bytes[] = [];
  for (let i = 0; i < n; i++) {
    const plain = padded.slice(i * chunkSize, (i + 1) * chunkSize);
    parts.push(new Uint8Array(await crypto.subtle.encrypt(parameters(c, i, i === n - 1), c.key, plain)));
  }
  return concat(...parts);
}
