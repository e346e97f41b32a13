/** Bytes and their text forms. Text is read strictly: one form per value. */

import { sha256 as nobleSha256 } from "@noble/hashes/sha2.js";
import { fail } from "./failure.ts";

/** Bytes over memory of their own kind, which WebCrypto asks for. */
export type Bytes = Uint8Array<ArrayBuffer>;

const encoder = new TextEncoder();
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export const utf8 = (s: string): Bytes => encoder.encode(s) as Bytes;

/** The text of UTF-8 bytes; anything else is refused. */
export function text(b: Uint8Array): string {
  try {
    return strict.decode(b);
  } catch {
    return fail("invalid", "not UTF-8");
  }
}

export function concat(...parts: Uint8Array[]): Bytes {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const p of parts) {
    out.set(p, at);
    at += p.length;
  }
  return out;
}

/** In constant time for one length. */
export function equal(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let x = 0;
  for (let i = 0; i < a.length; i++) x |= a[i]! ^ b[i]!;
  return x === 0;
}

/** In the order of bytes, as Go's bytes.Compare. */
export function compare(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < a.length && i < b.length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return a.length - b.length;
}

export const isZero = (b: Uint8Array): boolean => b.every((x) => x === 0);

const digits = Array.from({ length: 256 }, (_, x) => x.toString(16).padStart(2, "0"));

export function hex(b: Uint8Array): string {
  let out = "";
  for (const x of b) out += digits[x];
  return out;
}

/** Bytes of lower-case hex, after a prefix such as "log:". `size` is their number, if it is fixed. */
export function unhex(s: string, size?: number, prefix = ""): Bytes {
  const digits = s.slice(prefix.length);
  if (!s.startsWith(prefix) || digits.length % 2 !== 0 || !/^[0-9a-f]*$/.test(digits) || (size !== undefined && digits.length !== 2 * size))
    return fail("invalid", `want ${prefix || "hex"} of ${size ?? "any number of"} bytes`);
  const out = new Uint8Array(digits.length / 2);
  for (let i = 0; i < out.length; i++) out[i] = Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16);
  return out;
}

/** Standard base64 with padding, the only form of its bytes. */
export function base64(b: Uint8Array): string {
  let s = "";
  for (let i = 0; i < b.length; i += 0x8000) s += String.fromCharCode(...b.subarray(i, i + 0x8000));
  return btoa(s);
}

export function unbase64(s: string): Bytes {
  let raw: string;
  try {
    raw = atob(s);
  } catch {
    return fail("invalid", "not base64");
  }
  const out = Uint8Array.from(raw, (c) => c.charCodeAt(0));
  return base64(out) === s ? out : fail("invalid", "base64 that is not canonical");
}

export const base64url = (b: Uint8Array): string => base64(b).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

/** base64url without padding, as JSON Web Keys have it. */
export const unbase64url = (s: string): Bytes =>
  unbase64(s.replaceAll("-", "+").replaceAll("_", "/") + "=".repeat((4 - (s.length % 4)) % 4));

export const sha256 = (b: Uint8Array): Bytes => nobleSha256(b) as Bytes;

/** SHA-256 of what may be much: natively, but for what is done before a thread of the browser's would have begun. */
export const sha256Large = async (b: Bytes): Promise<Bytes> =>
  b.length <= 4096 ? sha256(b) : new Uint8Array(await crypto.subtle.digest("SHA-256", b));

export const random = (n: number): Bytes => crypto.getRandomValues(new Uint8Array(n));

/** Overwrites secrets that are not needed any more. */
export function wipe(...secrets: Uint8Array[]): void {
  for (const s of secrets) s.fill(0);
}
