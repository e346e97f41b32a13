/** Operations: signed requests to the ledger (spec/operations.md). Here are those that a patient or a proxy signs. */

import { type Bytes, random } from "../bytes.ts";
import type { Signer } from "../crypto/ed25519.ts";
import { sum, type Writer, writer } from "../wire.ts";
import { type Range, type Terms, writeRanges, writeTerms } from "./terms.ts";

export interface NewRecord {
  record: Bytes;
  core: Bytes;
  blob: Bytes;
  size: number;
}

export type Body =
  | { kind: "create"; salt: Bytes; epochKey: Bytes; ticket: Bytes }
  | { kind: "append"; epoch: number; generation: number; records: NewRecord[] }
  | { kind: "grant"; terms: Terms; message: Bytes }
  | { kind: "revoke"; grant: number }
  | { kind: "access"; grant: number; further: boolean; ranges: Range[]; session: Bytes; detail: Bytes }
  | { kind: "rotate"; epoch: number; epochKey: Bytes; mailbox: Bytes }
  | { kind: "rekey-owner"; next: Bytes; proof: Bytes }
  | { kind: "erase-block" | "erase-destroy"; ranges: Range[] }
  | { kind: "post"; message: Bytes; size: number; ticket: Bytes };

const kinds = {
  create: 1,
  append: 2,
  grant: 3,
  revoke: 4,
  access: 5,
  rotate: 6,
  "rekey-owner": 7,
  "erase-block": 9,
  "erase-destroy": 10,
  post: 11,
};
const version = 1;

export interface Operation {
  id: Bytes;
  log: Bytes;
  signer: Bytes;
  body: Body;
  encoded: Bytes;
}

/** Signs an operation that is void after a moment of the ledger clock. The nonce is given where it must be the same one again. */
export async function sign(network: Bytes, by: Signer, log: Bytes, body: Body, expires: number, nonce = random(16)): Promise<Operation> {
  const w = writer().u8(version).u8(kinds[body.kind]).fixed(network.slice(0, 4)).fixed(log).fixed(by.public).fixed(nonce).u64(expires);
  const unsigned = w.bytes(encodeBody(body)).done();
  const id = sum("vitalog/v1/operation", network, unsigned);
  const encoded = writer()
    .fixed(unsigned)
    .fixed(await by.sign(id))
    .done();
  return { id, log, signer: by.public, body, encoded };
}

export function encodeBody(b: Body): Bytes {
  const w = writer();
  switch (b.kind) {
    case "create":
      w.fixed(b.salt).fixed(b.epochKey).fixed(b.ticket);
      break;
    case "append":
      w.u32(b.epoch).u32(b.generation).u32(b.records.length);
      for (const x of b.records) writeRecord(w, x);
      break;
    case "grant":
      writeTerms(w, b.terms).fixed(b.message);
      break;
    case "revoke":
      w.u64(b.grant);
      break;
    case "access":
      w.u64(b.grant).flag(b.further);
      writeRanges(w, b.ranges).fixed(b.session).fixed(b.detail);
      break;
    case "rotate":
      w.u32(b.epoch).fixed(b.epochKey).fixed(b.mailbox);
      break;
    case "rekey-owner":
      w.fixed(b.next).fixed(b.proof);
      break;
    case "erase-block":
    case "erase-destroy":
      writeRanges(w, b.ranges);
      break;
    case "post":
      w.fixed(b.message).u32(b.size).fixed(b.ticket);
      break;
  }
  return w.done();
}

/** Puts another owner key in the place of one, with the word of both. */
export async function rekeyed(network: Bytes, log: Bytes, old: Bytes, next: Signer): Promise<Body> {
  return { kind: "rekey-owner", next: next.public, proof: await next.sign(sum("vitalog/v1/rekey", network, log, old, next.public)) };
}

const writeRecord = (w: Writer, x: NewRecord): Writer => w.fixed(x.record).fixed(x.core).fixed(x.blob).u8(x.size);

/** The entry that an operation becomes at a moment; of an append the one of its record number i, of an access without the decision at its end. */
export function entryOf(o: Operation, at: number, i = 0): Bytes {
  const w = writer().u8(kinds[o.body.kind]).u64(at).fixed(o.signer);
  if (o.body.kind !== "append") return w.fixed(encodeBody(o.body)).done();
  w.u32(o.body.epoch).u32(o.body.generation);
  return writeRecord(w, o.body.records[i]!).done();
}

/** Why the ledger refuses, by its code. */
export const codes = [
  "ok",
  "malformed",
  "signature",
  "replayed",
  "expired",
  "too-far-ahead",
  "unknown-log",
  "log-exists",
  "wrong-log",
  "bad-ticket",
  "tickets-spent",
  "not-owner",
  "not-granted",
  "no-right",
  "stale-epoch",
  "wrong-network-key",
  "no-network-key",
  "record-exists",
  "no-such-grant",
  "wider-than-parent",
  "too-many-grants",
  "no-such-entry",
  "not-author",
  "quota",
  "not-validator",
  "wrong-phase",
  "bad-contribution",
  "key-in-use",
  "key-disagrees",
  "too-many-erasures",
  "not-member",
  "unsound-key",
  "out-of-line",
  "not-until",
] as const;
