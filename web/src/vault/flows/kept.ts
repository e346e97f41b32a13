/** Records as the browser keeps them, and as the home member gives those that it lacks: each is held against its entry. */

import type { Failure } from "../api.ts";
import { type Bytes, equal, hex, sha256Large } from "../bytes.ts";
import type { Sealed } from "../crypto/aes.ts";
import type { Decapsulator } from "../crypto/xwing.ts";
import type { Recorded } from "../ledger/entry.ts";
import type { SectionName } from "../names.ts";
import { type Closed, headerOf, type Opener } from "../opening.ts";
import type { Session } from "./session.ts";
import type { Placed } from "./sync.ts";

/** A record as the browser keeps it. */
export interface Kept {
  header: Bytes;
  blob: Bytes | null; // null: too large to come along
  secret: Sealed | null; // the record's, once the owner lock was opened, under the browser's own key: that opens sooner
}

export const nameOf = (e: Placed): string => hex((e.says as Recorded).record);

/** Headers and ciphertext from the browser or the home member, and which came from there: they are not compared with anything yet. */
export async function fetchRecords(s: Session, log: Bytes, entries: Placed[]): Promise<{ kept: (Kept | undefined)[]; came: Set<number> }> {
  const kept = await s.store.getAll<Kept>("records", entries.map(nameOf));
  const came = new Set<number>();
  let lacking = entries.map((_, i) => i).filter((i) => !kept[i]);
  while (lacking.length > 0) {
    const given = await s.home.records(
      log,
      lacking.map((i) => (entries[i]!.says as Recorded).record),
    );
    given.forEach(({ header, blob }, n) => {
      if (header.length === 0) return;
      kept[lacking[n]!] = { header, blob: blob.length > 0 ? blob : null, secret: null };
      came.add(lacking[n]!);
    });
    lacking = lacking.slice(given.length);
  }
  return { kept, came };
}

/** Whether a record is the one that the ledger committed to. */
export async function fits(s: Session, e: Placed, k: Kept): Promise<boolean> {
  try {
    headerOf(s.genesis.network, e, k.header);
  } catch {
    return false;
  }
  return k.blob === null || equal(await sha256Large(k.blob), (e.says as Recorded).blob);
}

export async function openerOf(s: Session, section: SectionName): Promise<Opener & { owner: Decapsulator }> {
  const { exchange } = await s.patient.section(section);
  return { network: s.genesis.network, local: s.patient.local, owner: exchange, claimed: s.patient.claimed !== null };
}

/** Why somebody else's record, which is read by what the members released, doesn't open; null of the patient's own. */
export function withheld(s: Session, entry: Placed): Failure | null {
  if (!s.reads) return null;
  const given = s.reads.secrets.get(nameOf(entry)) ?? "not-shared";
  return typeof given === "string" ? given : null;
}

/** The record's secret where it is known: released, or kept of one that was written in custody. It is copied: who uses it overwrites it. */
function known(s: Session, entry: Placed): Bytes | null {
  const secret = (s.reads ? s.reads.secrets : s.unlocked).get(nameOf(entry));
  return secret === undefined || typeof secret === "string" ? null : secret.slice();
}

/** A record for who opens it. */
export const closed = (s: Session, entry: Placed, k: Kept): Omit<Closed, "blob"> => ({
  entry,
  header: k.header,
  secret: s.reads ? null : k.secret,
  unlocked: known(s, entry),
});
