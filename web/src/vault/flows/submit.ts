/** Puts operations on the ledger and proves that they are there as they were signed. */

import type { Final } from "../api.ts";
import { type Bytes, equal } from "../bytes.ts";
import type { Signer } from "../crypto/ed25519.ts";
import { fail, failure } from "../failure.ts";
import type { Result } from "../home.ts";
import { type Body, entryOf, type Operation, sign } from "../ledger/operation.ts";
import { each, type Session } from "./session.ts";
import { proofOf } from "./sync.ts";

const atOnce = 4;

/** How long, on the ledger clock, an operation may wait for its block: ms. */
const patience = 120_000;

/** Signs an operation, for the next two minutes. */
export const signed = (s: Session, by: Signer, log: Bytes, body: Body): Promise<Operation> =>
  sign(s.genesis.network, by, log, body, s.home.now() + patience);

/** The ledger moved on between preparing and committing: nothing was executed, and it can be prepared again. */
export const again = (r: Result): boolean => ["expired", "stale-epoch", "wrong-network-key"].includes(r.code);

/** Submits operations; the first refusal is a failure. */
export async function submit(s: Session, ops: Operation[]): Promise<Result[]> {
  s.progress({ step: "submitting", done: 0, of: ops.length });
  const results = await s.home.submit(ops);
  for (const r of results) if (r.code !== "ok") throw failure("refused", r.code);
  return results;
}

/** Proves the entry of each operation, at the place that the home member says, and returns the newest block of them. */
export async function place(s: Session, ops: Operation[], results: Result[]): Promise<Final> {
  const final: Final = { block: 0, signed: s.genesis.validators.length, of: s.genesis.validators.length };
  let done = 0;
  await each(
    ops.map((_, i) => i),
    atOnce,
    async (i) => {
      const [o, first] = [ops[i]!, results[i]!.first];
      const proof = await proofOf(s, o.log, first);
      if (!equal(proof.encoded, entryOf(o, proof.entry.at))) return fail("altered", `entry ${first} is not what was signed`);
      const [page] = await s.home.entries(o.log, first, first + 1);
      if (!page || page.block > proof.height) return fail("altered", `the home member does not say in which block entry ${first} is`);
      final.block = Math.max(final.block, page.block);
      final.signed = Math.min(final.signed, proof.signed);
      s.progress({ step: "proving", done: ++done, of: ops.length });
    },
  );
  return final;
}
