/** An open vault at work: the patient's keys, the pinned network, the home member, and what was fetched, proved and opened so far. */

import type { Failure, Progress } from "../api.ts";
import type { Bytes } from "../bytes.ts";
import type { Ask } from "../helpers.ts";
import type { Home } from "../home.ts";
import type { Patient } from "../keys.ts";
import type { Genesis } from "../ledger/genesis.ts";
import type { Agreed } from "../ledger/receipt.ts";
import type { SectionName } from "../names.ts";
import type { Store } from "../store.ts";
import type { Notes } from "./notes.ts";
import type { Opened } from "./open.ts";
import type { ProvenLog } from "./sync.ts";

export interface Session {
  genesis: Genesis;
  member: number; // of the home member
  home: Home;
  patient: Patient;
  store: Store;
  agreed: Agreed; // signatures of blocks that were verified
  logs: Map<SectionName, ProvenLog>;
  syncing: Promise<unknown>; // logs are synced by one at a time
  notes: { size: number; notes: Notes } | null; // of the index log at that size
  unlocked: Map<string, Bytes>; // by record: what opens those that were written in custody; as the notes were read
  reads: Released | null; // of somebody else's chart, which is read by release
  others: Map<string, Session>; // the charts that this person reads for others and has open, by invitation
  opened: Map<string, Opened>; // by log/entry; records that opened, until the vault locks
  ask: Ask; // helpers, or whoever does it
  progress(p: Progress): void;
}

/** Somebody else's logs, and what opens records of theirs, or why nothing does. It is kept nowhere else. */
export interface Released {
  logs: Map<SectionName, Bytes>;
  secrets: Map<string, Bytes | Failure>; // by record, hex
}

/** Runs work on all items, some at once, in whatever order they end. */
export async function each<T>(items: readonly T[], atOnce: number, work: (item: T) => Promise<void>): Promise<void> {
  const queue = items[Symbol.iterator]();
  const lane = async (): Promise<void> => {
    for (let next = queue.next(); !next.done; next = queue.next()) await work(next.value);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, lane));
}
