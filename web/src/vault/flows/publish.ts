/** The patient's own records: ciphertext and header are durable at the home member before the ledger hears of them (ARCHITECTURE.md, Write path). */

import type { Final } from "../api.ts";
import { random } from "../bytes.ts";
import { type NewItem, signContent } from "../chart/content.ts";
import { type Sealed, seal } from "../envelope/envelope.ts";
import { coreOf, encodeHeader, recordOf } from "../envelope/header.ts";
import { fail } from "../failure.ts";
import type { SectionName } from "../names.ts";
import { networkKey } from "./networkKey.ts";
import type { Session } from "./session.ts";
import { again, place, signed } from "./submit.ts";
import { proofOf } from "./sync.ts";

const tries = 4;
const compressFrom = 512; // bytes

/** Writes one record with items into a section. It is final when this returns. */
export const publish = (s: Session, section: SectionName, items: NewItem[]): Promise<Final> => publishAll(s, section, [items]);

/** Writes several records by one operation: all of them are there, or none. */
export async function publishAll(s: Session, section: SectionName, records: NewItem[][]): Promise<Final> {
  for (let i = 0; i < tries; i++) {
    const final = await attempt(s, section, records);
    if (final) return final;
  }
  return fail("refused", "the ledger moved on each time: try again");
}

/** null: the epoch or the network key changed meanwhile, or no block came in time. */
async function attempt(s: Session, section: SectionName, records: NewItem[][]): Promise<Final | null> {
  const k = await s.patient.section(section);
  const [{ epoch }, net] = [(await proofOf(s, k.log, 0)).head, await networkKey(s, (await s.patient.section("index")).log)];
  const locks = {
    owner: k.exchange.public,
    reader: await k.readerPublic(epoch),
    epoch,
    network: net.polynomial[0]!,
    generation: net.generation,
  };
  const sealed: Sealed[] = [];
  for (const [i, items] of records.entries()) {
    s.progress({ step: "sealing", done: i, of: records.length });
    const compressed = items.reduce((n, x) => n + x.json.length, 0) >= compressFrom;
    const context = { network: s.genesis.network, log: k.log, writer: k.owner.public, salt: random(16), created: Date.now(), compressed };
    const one = await seal(context, await signContent(k.owner, recordOf(context), context.created, items), locks);
    await s.home.putRecord(encodeHeader(one.header), one.blob);
    sealed.push(one);
  }
  const body = { kind: "append", epoch, generation: net.generation, records: sealed.map(committed) } as const;
  const o = await signed(s, k.owner, k.log, { ...body, records: [...body.records] });
  const results = await s.home.submit([o]);
  if (again(results[0]!)) return null;
  if (results[0]!.code !== "ok") return fail("refused", results[0]!.code);
  return place(s, [o], results);
}

function committed(x: Sealed) {
  const size = Math.ceil(Math.log2(Math.max(1, x.blob.length)));
  return { record: recordOf(x.header), core: coreOf(x.header), blob: x.header.blob, size };
}
