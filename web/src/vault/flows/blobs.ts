/** Ciphertext and sealed messages, which have the names of their bytes: from the browser or the home member, and compared either way. */

import { type Bytes, equal, hex, sha256Large } from "../bytes.ts";
import type { Session } from "./session.ts";

const atOnce = 256;

export async function blobOf(s: Session, hash: Bytes): Promise<Bytes> {
  const kept = await s.store.get<Bytes>("blobs", hex(hash));
  if (kept && equal(await sha256Large(kept), hash)) return kept;
  const b = await s.home.blob(hash);
  await s.store.cache("blobs", [[hex(hash), b]]);
  return b;
}

/** Gets those that the browser hasn't, many in one call. What isn't to be had so is for blobOf to tell. */
export async function gather(s: Session, hashes: Bytes[]): Promise<void> {
  const kept = await s.store.getAll<Bytes>("blobs", hashes.map(hex));
  let lacking = hashes.filter((_, i) => !kept[i]);
  while (lacking.length > 0) {
    const given = await s.home.blobs(lacking.slice(0, atOnce));
    const fits = await Promise.all(given.map(async (b, i) => equal(await sha256Large(b), lacking[i]!)));
    const fresh = given.flatMap((b, i): [string, Bytes][] => (fits[i] ? [[hex(lacking[i]!), b]] : []));
    await s.store.cache("blobs", fresh);
    lacking = lacking.slice(given.length);
  }
}
