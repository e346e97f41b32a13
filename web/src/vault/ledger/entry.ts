/** Entries: what execution made of operations, as they stand in a log (spec/operations.md). Log and number are where they stand. */

import { type Bytes, compare } from "../bytes.ts";
import { fail } from "../failure.ts";
import { type Reason, reasons } from "../names.ts";
import { type Reader, reader, sum, times, u64 } from "../wire.ts";
import { countEntries, type Range, readRanges, readTerms, type Terms } from "./terms.ts";

/** A record as the ledger knows it. */
export interface Recorded {
  kind: "append";
  epoch: number;
  generation: number;
  record: Bytes;
  core: Bytes;
  blob: Bytes;
  size: number; // class: at most 2^size bytes of ciphertext
}

export interface Accessed {
  kind: "access";
  grant: number;
  further: boolean;
  ranges: Range[];
  session: Bytes;
  detail: Bytes;
  why: Reason;
}

/** The author of destroyed records keeps its copy of them. */
export interface Keep {
  kind: "keep";
  destroy: number; // entry of the erase-destroy that names them
  ranges: Range[];
  until: number; // ledger clock, ms: the first moment no more
}

export type Statement =
  | Recorded
  | Accessed
  | { kind: "create"; salt: Bytes; epochKey: Bytes; ticket: Bytes }
  | { kind: "grant"; terms: Terms; message: Bytes }
  | { kind: "revoke"; grant: number }
  | { kind: "rotate"; epoch: number; epochKey: Bytes; mailbox: Bytes }
  | { kind: "rekey-owner" | "rekey-grantee"; next: Bytes; proof: Bytes }
  | { kind: "erase-block" | "erase-destroy"; ranges: Range[] }
  | { kind: "post"; message: Bytes; size: number; ticket: Bytes }
  | Keep
  | { kind: "deleted"; upto: number; before: number } // ms on the ledger clock
  | { kind: "stored"; upto: number; missing: Bytes[]; back: Bytes[] }
  | { kind: "anchor"; use: 1; hash: Bytes }
  | { kind: "refusals"; key: Bytes; hour: number; count: number };

export interface Entry {
  log: Bytes;
  number: number;
  at: number; // ledger clock, ms
  signer: Bytes;
  says: Statement;
}

export const ticketSize = 290;
export const maxEntry = 4 << 10;
const maxNamed = 1000n; // entries of an access or an erasure
const maxSealed = 256 << 10;
const maxHashes = 60; // in each list of a storage receipt

export const entryHash = (log: Bytes, number: number, encoded: Bytes): Bytes => sum("vitalog/v1/entry", log, u64(number), encoded);

export function decodeEntry(log: Bytes, number: number, b: Bytes): Entry {
  const r = reader(b, `entry ${number}`);
  const kind = r.u8();
  const e = { log, number, at: r.count64(), signer: r.fixed(32), says: readStatement(r, kind, `entry ${number}`) };
  r.end();
  return e;
}

function readStatement(r: Reader, kind: number, what: string): Statement {
  switch (kind) {
    case 1:
      return { kind: "create", salt: r.fixed(32), epochKey: r.fixed(32), ticket: r.fixed(ticketSize) };
    case 2: {
      const says: Recorded = {
        kind: "append",
        epoch: r.u32(),
        generation: r.u32(),
        record: r.fixed(32),
        core: r.fixed(32),
        blob: r.fixed(32),
        size: r.u8(),
      };
      return says.size > 63 ? fail("altered", `${what}: size class ${says.size}`) : says;
    }
    case 3:
      return { kind: "grant", terms: readTerms(r, what), message: r.fixed(32) };
    case 4:
      return { kind: "revoke", grant: r.count64() };
    case 5:
      return readAccess(r, what);
    case 6:
      return { kind: "rotate", epoch: r.u32(), epochKey: r.fixed(32), mailbox: r.fixed(32) };
    case 7:
    case 8:
      return { kind: kind === 7 ? "rekey-owner" : "rekey-grantee", next: r.fixed(32), proof: r.fixed(64) };
    case 9:
    case 10:
      return { kind: kind === 9 ? "erase-block" : "erase-destroy", ranges: named(readRanges(r, what), what) };
    case 11: {
      const [message, size] = [r.fixed(32), r.u32()];
      if (size > maxSealed) fail("altered", `${what}: a message of ${size} bytes`);
      return { kind: "post", message, size, ticket: r.fixed(ticketSize) };
    }
    case 12:
      return { kind: "keep", destroy: r.count64(), ranges: named(readRanges(r, what), what), until: r.count64() };
    case 13:
      return { kind: "deleted", upto: r.count64(), before: r.count64() };
    case 15: {
      const says = { kind: "stored" as const, upto: r.count64(), missing: readHashes(r, what), back: readHashes(r, what) };
      const both = says.back.some((h) => says.missing.some((x) => compare(x, h) === 0));
      return both ? fail("altered", `${what}: missing and back at once`) : says;
    }
    case 16: {
      const [use, hash] = [r.u8(), r.fixed(32)];
      return use === 1 ? { kind: "anchor", use, hash } : fail("altered", `${what}: an anchor of use ${use}`);
    }
    case 64:
      return { kind: "refusals", key: r.fixed(32), hour: r.count64(), count: r.u32() };
    default:
      return fail("altered", `${what}: kind ${kind} is no kind of entry`);
  }
}

function readAccess(r: Reader, what: string): Accessed {
  const a = { grant: r.count64(), further: r.flag(), ranges: named(readRanges(r, what), what), session: r.fixed(32), detail: r.fixed(32) };
  const n = r.u8();
  return { kind: "access", ...a, why: reasons[n] ?? fail("altered", `${what}: reason ${n}`) };
}

/** Ascending hashes, as a storage receipt names them. */
function readHashes(r: Reader, what: string): Bytes[] {
  const out = times(r.count(maxHashes, 32), () => r.fixed(32));
  if (out.some((h, i) => i > 0 && compare(out[i - 1]!, h) >= 0)) fail("altered", `${what}: hashes that are not ascending`);
  return out;
}

function named(ranges: Range[], what: string): Range[] {
  if (ranges.length === 0 || countEntries(ranges) > maxNamed) fail("altered", `${what}: names no entries, or more than ${maxNamed}`);
  return ranges;
}
