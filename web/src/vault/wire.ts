/**
 * The one binary form of what is hashed, signed or sent (spec/operations.md): big-endian integers of fixed width, a 32-bit length before what varies.
 * A value has one encoding; a reader refuses everything else.
 *
 *     sum("vitalog/v1/rid", network, log)  =  SHA-256( 0000000e "vitalog/v1/rid"  00000020 network  00000020 log )
 */

import { type Bytes, concat, sha256, text, utf8 } from "./bytes.ts";
import { fail } from "./failure.ts";

/** SHA-256 over the domain and the fields, each preceded by its length. */
export function sum(domain: string, ...fields: Uint8Array[]): Bytes {
  const all = [domainOf(domain), ...fields];
  const out = new Uint8Array(all.reduce((n, f) => n + 4 + f.length, 0));
  const view = new DataView(out.buffer);
  let at = 0;
  for (const f of all) {
    view.setUint32(at, f.length);
    out.set(f, at + 4);
    at += 4 + f.length;
  }
  return sha256(out);
}

/** There are few, and each is asked for thousands of times. */
const domains = new Map<string, Bytes>();

function domainOf(domain: string): Bytes {
  const b = domains.get(domain) ?? utf8(domain);
  domains.set(domain, b);
  return b;
}

export const u64 = (x: number | bigint): Bytes => writer().u64(x).done();
export const u32 = (x: number): Bytes => writer().u32(x).done();

export interface Writer {
  u8(x: number): Writer;
  u16(x: number): Writer;
  u32(x: number): Writer;
  u64(x: number | bigint): Writer;
  flag(x: boolean): Writer;
  fixed(b: Uint8Array): Writer;
  /** A 32-bit length and the bytes. */
  bytes(b: Uint8Array): Writer;
  text(s: string): Writer;
  done(): Bytes;
}

export function writer(): Writer {
  const parts: Uint8Array[] = [];
  const int = (n: number, x: number | bigint): Writer => {
    const b = new Uint8Array(n);
    let v = x;
    if (typeof v === "number" && Number.isSafeInteger(v)) for (let i = n - 1; i >= 0; i--, v = Math.floor(v / 256)) b[i] = v % 256;
    else if (typeof v === "bigint") for (let i = n - 1; i >= 0; i--, v >>= 8n) b[i] = Number(v & 0xffn);
    if (x < 0 || (v !== 0 && v !== 0n)) return fail("internal", `no number of ${8 * n} bits`);
    parts.push(b);
    return w;
  };
  const w: Writer = {
    u8: (x) => int(1, x),
    u16: (x) => int(2, x),
    u32: (x) => int(4, x),
    u64: (x) => int(8, x),
    flag: (x) => int(1, x ? 1 : 0),
    fixed: (b) => {
      parts.push(b);
      return w;
    },
    bytes: (b) => w.u32(b.length).fixed(b),
    text: (s) => w.bytes(utf8(s)),
    done: () => concat(...parts),
  };
  return w;
}

export interface Reader {
  u8(): number;
  u16(): number;
  u32(): number;
  u64(): bigint;
  /** A 64-bit number that JavaScript counts exactly: entries, sizes, times. */
  count64(): number;
  flag(): boolean;
  fixed(n: number): Bytes;
  bytes(limit: number): Bytes;
  text(limit: number): string;
  /** A 32-bit number of items, of which each has at least size bytes. */
  count(limit: number, size: number): number;
  rest(): Bytes;
  at(): number;
  end(): void;
}

/** Reads b. `what` names it in errors, which are of kind "altered": who sent it broke the format. */
export function reader(b: Uint8Array, what: string): Reader {
  const bad = (why: string): never => fail("altered", `${what}: ${why}`);
  let at = 0;
  const take = (n: number): Bytes => {
    if (n > b.length - at) bad(`truncated: want ${n} more bytes, have ${b.length - at}`);
    at += n;
    return b.slice(at - n, at) as Bytes;
  };
  const int = (n: number): number => {
    if (n > b.length - at) bad(`truncated: want ${n} more bytes, have ${b.length - at}`);
    let x = 0;
    for (const end = at + n; at < end; at++) x = x * 256 + b[at]!;
    return x;
  };
  const r: Reader = {
    u8: () => int(1),
    u16: () => int(2),
    u32: () => int(4),
    u64: () => (BigInt(int(4)) << 32n) | BigInt(int(4)),
    count64: () => {
      const x = r.u64();
      return x > BigInt(Number.MAX_SAFE_INTEGER) ? bad(`number ${x} is too large`) : Number(x);
    },
    flag: () => {
      const x = int(1);
      return x > 1 ? bad(`flag ${x}`) : x === 1;
    },
    fixed: take,
    bytes: (limit) => {
      const n = int(4);
      return n > limit ? bad(`field of ${n} bytes, at most ${limit}`) : take(n);
    },
    text: (limit) => {
      const raw = r.bytes(limit);
      try {
        return text(raw);
      } catch {
        return bad("text that is not UTF-8");
      }
    },
    count: (limit, size) => {
      const n = int(4);
      if (n > limit || n * size > b.length - at) bad(`${n} items, at most ${limit}, in ${b.length - at} bytes`);
      return n;
    },
    rest: () => take(b.length - at),
    at: () => at,
    end: () => {
      if (at !== b.length) bad(`${b.length - at} trailing bytes`);
    },
  };
  return r;
}

/** n items of one form. */
export function times<T>(n: number, item: (i: number) => T): T[] {
  return Array.from({ length: n }, (_, i) => item(i));
}
