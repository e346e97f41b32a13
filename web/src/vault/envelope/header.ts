/** The header of an envelope (spec/envelope.md): context, commitment, and the locks that give its key. Points and locks are not looked into here. */

import { type Bytes, concat, equal } from "../bytes.ts";
import { overhead } from "../crypto/hpke.ts";
import { fail } from "../failure.ts";
import { recordId } from "../keys.ts";
import { reader, sum, times, u32, u64, writer } from "../wire.ts";
import { isPadme, maxPadded } from "./pad.ts";

const version = 1;
const maxHeader = 16 << 10;
const maxReaders = 8;
const maxAuthor = 512;
const lockSize = overhead + 32;
const pointSize = 96;

/** What a record is about, for the machine: fixed at sealing and authenticated with every chunk and lock. */
export interface Context {
  network: Bytes;
  log: Bytes;
  writer: Bytes;
  salt: Bytes;
  created: number;
  compressed: boolean;
}

export interface Header extends Context {
  com: Bytes;
  padded: number;
  blob: Bytes; // hash
  owner: Bytes | null;
  readers: { epoch: number; lock: Bytes }[];
  net: { generation: number; u: Bytes; masked: Bytes } | null;
  author: Bytes;
}

export const recordOf = (c: Context): Bytes => recordId(c.network, c.log, c.writer, c.salt);

/** CTX of the specification. A context doesn't change, and is asked for it several times. */
export function contextHash(c: Context): Bytes {
  const known = contexts.get(c);
  if (known) return known;
  const deflate = new Uint8Array([c.compressed ? 1 : 0]);
  const hash = sum("vitalog/v1/ctx", c.network, c.log, recordOf(c), c.writer, c.salt, u64(c.created), deflate);
  contexts.set(c, hash);
  return hash;
}

const contexts = new WeakMap<Context, Bytes>();

/** The commitment that stands on the ledger. Locks are not part of it. */
export const coreOf = (h: Header): Bytes => sum("vitalog/v1/core", contextHash(h), h.com, u64(h.padded), h.blob);

/** The identity under which the network lock is made. */
export const releaseId = (c: Context, generation: number): Bytes =>
  sum("vitalog/v1/release", c.network, u64(generation), c.log, c.writer, recordOf(c));

export const lockKind = { owner: 1, reader: 2 } as const;

/** What binds a lock to its envelope, its kind and its epoch. */
export const lockAad = (h: Header, kind: number, epoch: number): Bytes => concat(contextHash(h), h.com, new Uint8Array([kind]), u32(epoch));

/** What the ledger has of a record, by the entry of its append. */
export interface Committed {
  log: Bytes;
  record: Bytes;
  writer: Bytes; // the signer of the entry
  core: Bytes;
  blob: Bytes;
}

/** Refuses the header of another record than the one that the ledger committed to. */
export function checkHeader(h: Header, network: Bytes, c: Committed): void {
  const fits =
    equal(h.network, network) &&
    equal(h.log, c.log) &&
    equal(h.writer, c.writer) &&
    equal(recordOf(h), c.record) &&
    equal(h.blob, c.blob) &&
    equal(coreOf(h), c.core);
  if (!fits) fail("altered", "a header is not the one that the ledger committed to");
}

export function encodeHeader(h: Header): Bytes {
  const w = writer().u8(version).fixed(h.network).fixed(h.log).fixed(h.writer).fixed(h.salt).u64(h.created).flag(h.compressed);
  w.fixed(h.com)
    .u64(h.padded)
    .fixed(h.blob)
    .flag(h.owner !== null);
  if (h.owner) w.fixed(h.owner);
  w.u8(h.readers.length);
  for (const r of h.readers) w.u32(r.epoch).fixed(r.lock);
  w.u32(h.net?.generation ?? 0);
  if (h.net) w.fixed(h.net.u).fixed(h.net.masked);
  return w.bytes(h.author).done();
}

export function decodeHeader(b: Bytes): Header {
  const bad = (why: string): never => fail("altered", `header: ${why}`);
  if (b.length > maxHeader) bad(`${b.length} bytes, at most ${maxHeader}`);
  const r = reader(b, "header");
  const v = r.u8();
  if (v !== version) bad(`format version ${v}, this program reads ${version}`);
  const context = {
    network: r.fixed(32),
    log: r.fixed(32),
    writer: r.fixed(32),
    salt: r.fixed(16),
    created: r.count64(),
    compressed: r.flag(),
  };
  const com = r.fixed(32);
  const padded = r.count64();
  if (padded === 0 || padded > maxPadded || !isPadme(padded)) bad(`padded length ${padded}`);
  const blob = r.fixed(32);
  const owner = r.flag() ? r.fixed(lockSize) : null;
  const n = r.u8();
  if (n > maxReaders) bad(`${n} reader locks`);
  let last = 0;
  const readers = times(n, () => {
    const epoch = r.u32();
    if (epoch <= last) bad(`reader lock of epoch ${epoch} after ${last}`);
    last = epoch;
    return { epoch, lock: r.fixed(lockSize) };
  });
  const generation = r.u32();
  const net = generation === 0 ? null : { generation, u: r.fixed(pointSize), masked: r.fixed(32) };
  const author = r.bytes(maxAuthor);
  r.end();
  if ((net !== null) !== (readers.length > 0 || author.length > 0)) bad("reader or author locks without a network lock, or the reverse");
  if (!net && !owner) bad("no lock");
  return { ...context, com, padded, blob, owner, readers, net, author };
}
