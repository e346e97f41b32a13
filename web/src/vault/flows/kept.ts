/** Records as the browser keeps them, and as the home member gives those that it lacks: each is held against its entry. */

import type { Failure } from "../api.ts";
import { type Bytes, concat, equal, hex, sha256, utf8 } from "../bytes.ts";
import { openWith, type Sealed, sealWith } from "../crypto/aes.ts";
import type { Content as Cipher } from "../envelope/chunks.ts";
import { contentBy, ownerSecret } from "../envelope/envelope.ts";
import { checkHeader, decodeHeader, type Header } from "../envelope/header.ts";
import { fail } from "../failure.ts";
import type { Recorded } from "../ledger/entry.ts";
import type { SectionName } from "../names.ts";
import type { Session } from "./session.ts";
import type { Placed } from "./sync.ts";

/** A record as the browser keeps it. */
export interface Kept {
  header: Bytes;
  blob: Bytes | null; // null: too large to come along
  secret: Sealed | null; // the record's, once the owner lock was opened, under the browser's own key: that opens sooner
}

export const nameOf = (e: Placed): string => hex((e.says as Recorded).record);

/** Headers and ciphertext from the browser or the home member: what the browser keeps was held against the ledger when it came. */
export async function fetchRecords(s: Session, log: Bytes, entries: Placed[]): Promise<(Kept | undefined)[]> {
  const ids = entries.map(nameOf);
  const out = await s.store.getAll<Kept>("records", ids);
  let lacking = entries.map((_, i) => i).filter((i) => !out[i]);
  while (lacking.length > 0) {
    const given = await s.home.records(
      log,
      lacking.map((i) => (entries[i]!.says as Recorded).record),
    );
    const fresh: [string, Kept][] = [];
    given.forEach(({ header, blob }, n) => {
      const i = lacking[n]!;
      if (header.length === 0) return;
      out[i] = { header, blob: blob.length > 0 ? blob : null, secret: null };
      if (fits(s, entries[i]!, out[i])) fresh.push([ids[i]!, out[i]]);
    });
    await s.store.cache("records", fresh);
    lacking = lacking.slice(given.length);
  }
  return out;
}

/** Whether a record is the one that the ledger committed to. What isn't is not kept, so that it is asked for again. */
function fits(s: Session, e: Placed, k: Kept): boolean {
  try {
    headerOf(s, e, k.header);
  } catch {
    return false;
  }
  return k.blob === null || equal(sha256(k.blob), (e.says as Recorded).blob);
}

export function headerOf(s: Session, e: Placed, encoded: Bytes): Header {
  const { record, core, blob } = e.says as Recorded;
  const h = decodeHeader(encoded);
  checkHeader(h, s.genesis.network, { log: e.log, record, writer: e.signer, core, blob });
  return h;
}

/** What the patient keeps of a record that was written in custody, without an owner lock. It is copied: who uses it overwrites it. */
const unlocked = (s: Session, record: Bytes): Bytes =>
  s.unlocked.get(hex(record))?.slice() ?? fail("no-lock", "the record has no lock of the patient's yet");

/** What the members released of somebody else's record. It is copied: who uses it overwrites it. */
function released(given: Bytes | Failure | undefined): Bytes {
  if (given === undefined) return fail("not-shared", "the record was not released");
  return typeof given === "string" ? fail(given, "the record was not released") : given.slice();
}

/** What opens a record: its secret as the browser keeps it, or out of the owner lock. Either way it fits the commitment. */
export async function cipherOf(s: Session, section: SectionName, h: Header, record: Bytes, k: Kept): Promise<Cipher> {
  if (s.reads) return contentBy(h, released(s.reads.secrets.get(hex(record))));
  const aad = concat(utf8("vitalog/v1/portal/secret"), record);
  const kept = k.secret && (await openWith(s.patient.local, aad, k.secret));
  if (kept) return contentBy(h, kept);
  const secret = h.owner || !s.patient.claimed ? await ownerSecret(h, (await s.patient.section(section)).exchange) : unlocked(s, record);
  const sealed = await sealWith(s.patient.local, aad, secret);
  const cipher = await contentBy(h, secret);
  k.secret = sealed;
  return cipher;
}
