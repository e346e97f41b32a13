/**
 * Opens records with the owner lock, by nothing but the bytes: the header is held against the entry, the ciphertext against its hash, the content against
 * its author's signature. Helpers do it as well as the vault's own worker: whoever asks gets plain data.
 */

import type { Failure } from "./api.ts";
import { type Bytes, concat, utf8 } from "./bytes.ts";
import { type Content, type Item, isAttachment, openContent, openManifest } from "./chart/content.ts";
import { render } from "./chart/json.ts";
import { openWith, type Sealed, sealWith } from "./crypto/aes.ts";
import { type Decapsulator, decapsulatorBy, type Kem, nobleKem, type Pair } from "./crypto/xwing.ts";
import type { Content as Cipher } from "./envelope/chunks.ts";
import { contentBy, openBlob, ownerSecret } from "./envelope/envelope.ts";
import { checkHeader, decodeHeader, type Header } from "./envelope/header.ts";
import { fail, kindOf } from "./failure.ts";
import type { Entry, Recorded } from "./ledger/entry.ts";

/** A record that was sealed, with what the ledger has of it. */
export interface Closed {
  entry: Entry;
  header: Bytes;
  blob: Bytes;
  secret: Sealed | null; // the record's, as the browser keeps it, under its own key: that opens sooner
  unlocked: Bytes | null; // the same where it is known: kept of the custody's time, or released for somebody who reads for another; who opens it overwrites it
}

/** By whom records of one log are opened. */
export interface Opener {
  network: Bytes;
  local: CryptoKey; // the browser's own
  owner: Pair;
  claimed: boolean; // records may lack an owner lock
}

/** What opened, with resources as a reader answers them, and the record's secret for the browser to keep, where it is new; or why it doesn't. */
export type Outcome = { content: Content<Item>; secret: Sealed | null } | { why: Failure };

/** What takes time and needs nothing but what it is asked with. */
export interface Deeds {
  kem: Kem;
  records(q: { by: Opener; closed: Closed[] }): Promise<Outcome[]>;
}

const atOnce = 8; // while the browser decrypts one, others go on

const deeds: Deeds = {
  kem: nobleKem,
  records: async ({ by, closed }) => {
    const owner = decapsulatorBy(by.owner);
    const out: Outcome[] = [];
    const queue = closed.entries();
    const lane = async (): Promise<void> => {
      for (const [i, c] of queue) out[i] = await openClosed({ ...by, owner }, c).catch(whyNot);
    };
    await Promise.all(Array.from({ length: Math.min(atOnce, closed.length) }, lane));
    return out;
  },
};

/** In this worker itself. */
export const alone = <N extends keyof Deeds>(name: N, question: Parameters<Deeds[N]>[0]): ReturnType<Deeds[N]> =>
  (deeds[name] as (q: typeof question) => ReturnType<Deeds[N]>)(question);

/** What is wrong with a record is its own; what is wrong here is not. */
function whyNot(e: unknown): Outcome {
  const why = kindOf(e);
  if (why === "internal") throw e;
  return { why };
}

async function openClosed(by: Opener & { owner: Decapsulator }, c: Closed): Promise<Outcome> {
  const header = headerOf(by.network, c.entry, c.header);
  const { cipher, secret } = await cipherOf(by, header, c);
  return { content: readable(await contentOf(header, cipher, c.blob, (c.entry.says as Recorded).record), c.entry), secret };
}

/** The header, if it is the one that the ledger committed to. */
export function headerOf(network: Bytes, e: Entry, encoded: Bytes): Header {
  const { record, core, blob } = e.says as Recorded;
  const h = decodeHeader(encoded);
  checkHeader(h, network, { log: e.log, record, writer: e.signer, core, blob });
  return h;
}

const secretUse = utf8("vitalog/v1/portal/secret");

/** What opens a record: its secret as the browser keeps it, or out of the owner lock. Either way it fits the commitment. */
export async function cipherOf(
  by: Opener & { owner: Decapsulator },
  h: Header,
  c: Omit<Closed, "blob">,
): Promise<{ cipher: Cipher; secret: Sealed | null }> {
  const aad = concat(secretUse, (c.entry.says as Recorded).record);
  const kept = c.secret && (await openWith(by.local, aad, c.secret));
  if (kept) return { cipher: await contentBy(h, kept), secret: null };
  const locked = (): Promise<Bytes> =>
    h.owner || !by.claimed ? ownerSecret(h, by.owner) : fail("no-lock", "the record has no lock of the patient's yet");
  const secret = c.unlocked ?? (await locked());
  const sealed = await sealWith(by.local, aad, secret);
  return { cipher: await contentBy(h, secret), secret: sealed };
}

/** What the ciphertext of a record or a small attachment holds. */
export async function contentOf(h: Header, c: Cipher, blob: Bytes, record: Bytes): Promise<Content> {
  const plain = await openBlob(h, c, blob);
  return !h.compressed && isAttachment(plain[0]) ? openManifest(tailManifest(plain), record) : openContent(plain, record);
}

/** The manifest at the end of an attachment's plaintext, without padding. */
export function tailManifest(plain: Bytes): Bytes {
  const end = plain.length - 4;
  if (end < 1) return fail("altered", "an attachment without a manifest");
  const n = new DataView(plain.buffer, plain.byteOffset + end, 4).getUint32(0);
  return plain.slice(Math.max(0, end - n), end);
}

/** Resources with the chart's id, version and time, and with references that hold everywhere. */
export function readable({ author, created, items }: Content, e: Entry): Content<Item> {
  const shown = items.map(({ refs, scanned, json, ...x }) => ({
    ...x,
    json: scanned ? render(json, scanned, { id: x.id, version: e.number, at: e.at, refs }) : "",
  }));
  return { author, created, items: shown };
}
