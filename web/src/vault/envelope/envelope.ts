/** Seals one record and opens it with the owner lock, or as a reader (spec/envelope.md). A record opens only under the header that the ledger committed to. */

import { type Bytes, concat, equal, random, sha256Large, utf8, wipe } from "../bytes.ts";
import { hkdfExpand, hkdfExtract } from "../crypto/derive.ts";
import { open, seal as sealTo } from "../crypto/hpke.ts";
import type { Decapsulator } from "../crypto/xwing.ts";
import { fail } from "../failure.ts";
import { type Content, openChunks, sealChunks } from "./chunks.ts";
import { type Context, contextHash, type Header, lockAad, lockKind, releaseId } from "./header.ts";
import { inflate } from "./inflate.ts";
import { encapsulate } from "./network.ts";
import { pad, unpad } from "./pad.ts";

const info = { owner: "vitalog/v1/lock/owner", reader: "vitalog/v1/lock/reader" };

/** Bytes of content, after inflating, that are opened at most. */
export const maxContent = 128 << 20;

const commitment = (r: Bytes): Bytes => hkdfExpand(r, utf8("vitalog/v1/envelope/commit"), 32);

async function contentOf(r: Bytes, h: Context, use: "encrypt" | "decrypt"): Promise<Content> {
  const raw = hkdfExpand(r, utf8("vitalog/v1/envelope/content"), 32);
  const key = await crypto.subtle.importKey("raw", raw, "AES-GCM", false, [use]);
  wipe(raw, r);
  return { key, context: contextHash(h) };
}

const fits = (h: Header, r: Bytes): boolean => r.length === 32 && equal(commitment(r), h.com);

/** The record's secret out of its owner lock. The caller hands it to contentBy, or wipes it. */
export async function ownerSecret(h: Header, owner: Decapsulator): Promise<Bytes> {
  if (!h.owner) return fail("not-shared", "no owner lock: the log is in custody");
  return open(owner, info.owner, lockAad(h, lockKind.owner, 0), h.owner);
}

/** The record's secret out of the reader lock of an epoch and what the members released for the network lock. */
export async function readerSecret(h: Header, epoch: number, reader: Decapsulator, released: Bytes): Promise<Bytes> {
  const lock = h.readers.find((r) => r.epoch === epoch)?.lock ?? fail("altered", "no reader lock of that epoch");
  const a = await open(reader, info.reader, lockAad(h, lockKind.reader, epoch), lock);
  const b = released.map((x, i) => x ^ h.net!.masked[i]!);
  const r = hkdfExtract(contextHash(h), concat(a, b));
  wipe(a, b, released);
  return fits(h, r) ? r : fail("altered", "the key does not fit its commitment");
}

/** What opens the chunks of a record, by its secret, which is overwritten. */
export async function contentBy(h: Header, r: Bytes): Promise<Content> {
  return fits(h, r) ? contentOf(r, h, "decrypt") : fail("altered", "the key does not fit its commitment");
}

export const byOwner = async (h: Header, owner: Decapsulator): Promise<Content> => contentBy(h, await ownerSecret(h, owner));

/** The content of a whole blob. */
export async function openBlob(h: Header, c: Content, blob: Bytes): Promise<Bytes> {
  const padded = await openChunks(c, blob, h.padded, h.blob);
  const plain = unpad(padded);
  if (h.compressed) {
    const content = inflate(plain, maxContent);
    wipe(padded);
    return content;
  }
  return plain.length > maxContent ? fail("altered", `content of more than ${maxContent} bytes`) : plain;
}

/** For whom a new record is locked. */
export interface Locks {
  owner: Bytes; // the log's owner exchange key
  reader: Bytes; // the reader key of epoch
  epoch: number;
  network: Bytes; // the network key
  generation: number;
}

export interface Sealed {
  header: Header;
  blob: Bytes;
}

export async function seal(c: Context, content: Bytes, to: Locks): Promise<Sealed> {
  const [a, b] = [random(32), random(32)];
  const r = hkdfExtract(contextHash(c), concat(a, b));
  const h: Header = {
    ...c,
    com: commitment(r),
    padded: 0,
    blob: new Uint8Array(32),
    owner: null,
    readers: [],
    net: null,
    author: new Uint8Array(0),
  };
  h.owner = await sealTo(to.owner, info.owner, lockAad(h, lockKind.owner, 0), r);
  h.readers = [{ epoch: to.epoch, lock: await sealTo(to.reader, info.reader, lockAad(h, lockKind.reader, to.epoch), a) }];
  const { u, secret } = await encapsulate(to.network, releaseId(c, to.generation));
  h.net = { generation: to.generation, u, masked: secret.map((x, i) => x ^ b[i]!) };
  wipe(a, b, secret);
  const padded = pad(c.compressed ? await deflate(content) : content);
  const blob = await sealChunks(await contentOf(r, c, "encrypt"), padded);
  wipe(padded);
  h.padded = padded.length;
  h.blob = await sha256Large(blob);
  return { header: h, blob };
}

async function deflate(content: Bytes): Promise<Bytes> {
  const stream = new Blob([content]).stream().pipeThrough(new CompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
