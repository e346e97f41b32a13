/** What this browser has of records that were destroyed goes: ciphertext, header, the secret that opens them, what was opened. */

import { hex, wipe } from "../bytes.ts";
import type { Recorded } from "../ledger/entry.ts";
import { nameOf } from "./kept.ts";
import { placeOfEntry } from "./open.ts";
import type { Session } from "./session.ts";
import type { Placed } from "./sync.ts";

export async function forget(s: Session, gone: Placed[]): Promise<void> {
  const records = gone.filter((e) => e.says.kind === "append");
  for (const e of records) {
    s.opened.delete(placeOfEntry(e));
    const secret = s.unlocked.get(nameOf(e));
    if (secret) wipe(secret);
    s.unlocked.delete(nameOf(e));
  }
  await s.store.drop("records", records.map(nameOf));
  await s.store.drop(
    "blobs",
    records.map((e) => hex((e.says as Recorded).blob)),
  );
}
