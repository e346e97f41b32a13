/** Calls to the home member (spec/home.md). It relays and is trusted with nothing: whoever asks checks the answer. */

import { type Bytes, concat, equal, sha256Large, text } from "./bytes.ts";
import { answer, type Fetch, plain, prefix } from "./discover.ts";
import { fail } from "./failure.ts";
import { codes, type Operation } from "./ledger/operation.ts";
import { reader, times, u64, writer } from "./wire.ts";

export interface Result {
  code: (typeof codes)[number];
  first: number;
  count: number;
}

/** An entry as it came, and the block that brought it. */
export interface RawEntry {
  block: number;
  encoded: Bytes;
}

export interface Home {
  /** The time as the home member has it, or the device's own before it answered: a device's clock may be hours off, which operations must not be. */
  now(): number;
  submit(ops: Operation[]): Promise<Result[]>;
  /** At most 1024 from there on. */
  entries(log: Bytes, from: number, to: number): Promise<RawEntry[]>;
  receipt(log: Bytes, entry: number): Promise<Bytes>;
  /** A certificate of orders to destroy, ascending, at most 64 (spec/erasure.md). */
  certificate(orders: { log: Bytes; number: number }[]): Promise<Bytes>;
  networkKey(): Promise<{ before: Bytes; encoded: Bytes }>;
  /** Stores bytes and returns their hash. */
  putBlob(b: Bytes): Promise<Bytes>;
  /** The bytes of that hash, compared with it. */
  blob(hash: Bytes): Promise<Bytes>;
  /** The first of them, at least one; not compared. Empty: not to be had, or larger than 64 KiB. */
  blobs(hashes: Bytes[]): Promise<Bytes[]>;
  part(hash: Bytes, from: number): Promise<Bytes>;
  putRecord(header: Bytes, blob: Bytes): Promise<void>;
  header(log: Bytes, record: Bytes): Promise<Bytes>;
  /** Headers and ciphertext of the first of the records, at least one. Empty: not to be had, or larger than 64 KiB. */
  records(log: Bytes, records: Bytes[]): Promise<{ header: Bytes; blob: Bytes }[]>;
  ticket(blinded: Bytes): Promise<Bytes>;
  introduce(member: number, log: Bytes, purpose: string): Promise<Bytes>;
  /** What a custodian answers to a claim, and a member's owner locks (spec/claim.md). */
  claim(member: number, sealed: Bytes): Promise<Bytes>;
  ownerLocks(member: number, asked: Bytes): Promise<Bytes>;
  /** One holder's parts for an access (spec/release.md), sealed to its session. */
  release(member: number, request: Bytes): Promise<Bytes>;
  /** Leaves bytes in a place of a mailbox where two devices meet, and what is there; nothing yet: empty (spec/pairing.md). */
  putPairing(mailbox: Bytes, place: number, b: Bytes): Promise<void>;
  pairing(mailbox: Bytes, place: number): Promise<Bytes>;
  /** Hands over the file of a health link whose grant is on the ledger. */
  putLink(log: Bytes, grant: number, file: Bytes): Promise<void>;
  /** What the token of a link's address is appended to. */
  linkBase(): Promise<string>;
  /** Events of logs that grow, as they come, until signal ends it. */
  follow(body: Bytes, signal: AbortSignal): Promise<ReadableStream<Uint8Array>>;
}

const limit = { page: 1024, entry: 64 << 10, detail: 1024, operations: 1024, body: 80 << 20, submit: 3 << 20 };

export function homeOf(base: string, issuer: number, ask: Fetch): Home {
  let ahead = 0; // ms that the home member's clock is ahead of the device's
  const post = (name: string, body: Bytes, also?: RequestInit): Promise<Response> => {
    const init = { ...plain, ...also, method: "POST", body, headers: { "Content-Type": "application/octet-stream" } };
    return answer(name, () => ask(`${base}${prefix}${name}`, init));
  };
  const call = async (name: string, body: Bytes): Promise<Bytes> => {
    const r = await post(name, body);
    const theirs = Date.parse(r.headers.get("Date") ?? "");
    if (!Number.isNaN(theirs)) ahead = theirs - Date.now();
    try {
      const b = new Uint8Array(await r.arrayBuffer());
      return b.length > limit.body ? fail("altered", `${name}: an answer of ${b.length} bytes`) : b;
    } catch {
      return fail("unreachable", `${name}: the answer broke off`);
    }
  };
  return {
    now: () => Date.now() + ahead,
    submit: async (ops) => {
      const w = writer().u32(ops.length);
      for (const o of ops) w.bytes(o.encoded);
      const r = reader(await call("submit", w.done()), "results");
      const results = times(r.count(limit.operations, 52), () => {
        const code = r.u32();
        r.bytes(limit.detail);
        r.fixed(32);
        return { code: codes[code] ?? fail("refused", `code ${code}`), first: r.count64(), count: r.u32() };
      });
      r.end();
      return results.length === ops.length ? results : fail("altered", `${results.length} results for ${ops.length} operations`);
    },
    entries: async (log, from, to) => {
      const r = reader(await call("entries", concat(log, u64(from), u64(to))), "entries");
      const page = times(r.count(limit.page, 12), () => ({ block: r.count64(), encoded: r.bytes(limit.entry) }));
      r.end();
      return page;
    },
    receipt: (log, entry) => call("receipt", concat(log, u64(entry))),
    certificate: (orders) => {
      const w = writer().u32(orders.length);
      for (const o of orders) w.fixed(o.log).u64(o.number);
      return call("certificate", w.done());
    },
    networkKey: async () => {
      const b = await call("network-key", new Uint8Array(0));
      return { before: b.slice(0, 32), encoded: b.slice(32) };
    },
    putBlob: async (b) => {
      const [stored, want] = [await call("put-blob", b), await sha256Large(b)];
      return equal(stored, want) ? want : fail("altered", "the home member stored other bytes");
    },
    blob: async (hash) => {
      const b = await call("blob", hash);
      return equal(await sha256Large(b), hash) ? b : fail("altered", "the home member answers with other bytes");
    },
    blobs: async (hashes) => {
      const r = reader(
        await call(
          "blobs",
          writer()
            .u32(hashes.length)
            .fixed(concat(...hashes))
            .done(),
        ),
        "blobs",
      );
      const list = times(r.count(hashes.length, 4), () => r.bytes(limit.entry));
      r.end();
      return list.length > 0 ? list : fail("altered", "blobs: nothing came");
    },
    part: (hash, from) => call("part", concat(hash, u64(from))),
    putRecord: async (header, blob) => void (await call("put-record", writer().bytes(header).fixed(blob).done())),
    header: (log, record) => call("header", concat(log, record)),
    records: async (log, records) => {
      const body = writer().fixed(log).u32(records.length);
      for (const id of records) body.fixed(id);
      const r = reader(await call("records", body.done()), "records");
      const list = times(r.count(records.length, 8), () => ({ header: r.bytes(limit.entry), blob: r.bytes(limit.entry) }));
      r.end();
      return list.length > 0 ? list : fail("altered", "records: nothing came");
    },
    ticket: async (blinded) => {
      const r = reader(await call("ticket", blinded), "ticket");
      const [from, signature] = [r.u16(), r.bytes(1024)];
      r.end();
      return from === issuer ? signature : fail("altered", "a ticket of another member");
    },
    introduce: (member, log, purpose) => call("introduce", writer().u16(member).fixed(log).text(purpose).done()),
    claim: (member, sealed) => call("claim", writer().u16(member).fixed(sealed).done()),
    ownerLocks: (member, asked) => call("owner-locks", writer().u16(member).fixed(asked).done()),
    release: (member, request) => call("release", writer().u16(member).fixed(request).done()),
    putPairing: async (mailbox, place, b) => void (await call("pairing-put", writer().fixed(mailbox).u8(place).fixed(b).done())),
    pairing: (mailbox, place) => call("pairing-get", writer().fixed(mailbox).u8(place).done()),
    putLink: async (log, grant, file) => void (await call("put-link", concat(log, u64(grant), file))),
    linkBase: async () => text(await call("link-base", new Uint8Array(0))),
    follow: async (body, signal) => (await post("follow", body, { signal })).body ?? fail("unreachable", "follow: no answer"),
  };
}
