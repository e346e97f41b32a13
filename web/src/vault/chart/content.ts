/** What an envelope seals (spec/content.md): resources of one section, byte for byte, with a manifest of what they are called and who wrote them. */

import { type Bytes, compare, text, utf8 } from "../bytes.ts";
import { type Signer, verify } from "../crypto/ed25519.ts";
import { fail } from "../failure.ts";
import { type Reader, reader, sum, times, type Writer, writer } from "../wire.ts";
import { type Scanned, scan } from "./json.ts";
import { placeOf } from "./types.ts";

export type Status = "active" | "entered-in-error" | "deleted";
const statuses: Status[] = ["active", "entered-in-error", "deleted"];

export interface Author {
  member: string; // "" for the patient and devices
  key: Bytes;
  practitioner: string;
  name: string;
  role: string;
}

export interface Item {
  type: string;
  id: string;
  status: Status;
  supersedes: number[];
  json: string; // "" if deleted
}

/** As it was received. */
export interface Received extends Item {
  refs: Map<string, string>;
  scanned: Scanned | null;
}

export interface Content<I extends Item = Received> {
  author: Author;
  created: number;
  items: I[];
}

const limit = { items: 10_000, supersedes: 64, refs: 100_000, reference: 2048, text: 512, resource: 64 << 20, manifest: 1 << 20 };
const contentVersion = 1;
const manifestVersion = 2;
export const sumSize = 1 << 20;
const maxAttachment = 2 ** 32;

const bad = (why: string): never => fail("altered", `content: ${why}`);
const ascending = (x: number[]): boolean => x.every((n, i) => i === 0 || n > x[i - 1]!);

export const isAttachment = (first: number | undefined): boolean => first === manifestVersion;

const provenance = (record: Bytes, unsigned: Bytes): Bytes => sum("vitalog/v1/provenance", record, sum("vitalog/v1/content", unsigned));

/** Reads a content and verifies that its author signed it for the record. Whether the author may be one is for the caller to tell. */
export async function openContent(b: Bytes, record: Bytes): Promise<Content> {
  const r = reader(b, "content");
  const c = readBody(r, contentVersion);
  await checkSignature(r, b, c, record);
  return c;
}

/** The manifest of an attachment: a content of one Binary, and what its author signed of the bytes (spec/attachment.md). */
export async function openManifest(b: Bytes, record: Bytes): Promise<Content & { size: number; sums: Bytes[] }> {
  if (b.length > limit.manifest) bad("a manifest that is too long");
  const r = reader(b, "manifest");
  const c = readBody(r, manifestVersion);
  const size = r.count64();
  if (size === 0 || size > maxAttachment) bad(`an attachment of ${size} bytes`);
  const sums = times(Math.ceil(size / sumSize), () => r.fixed(32));
  await checkSignature(r, b, c, record);
  const [item] = c.items;
  if (c.items.length !== 1 || item!.type !== "Binary" || item!.status !== "active" || item!.scanned!.members.has("data"))
    bad("an attachment is one active Binary without data");
  return { ...c, size, sums };
}

async function checkSignature(r: Reader, b: Bytes, c: Content, record: Bytes): Promise<void> {
  const unsigned = b.slice(0, r.at());
  const signature = r.fixed(64);
  r.end();
  if (!(await verify(c.author.key, provenance(record, unsigned), signature))) bad("the author's signature does not verify");
}

function readBody(r: Reader, version: number): Content {
  const v = r.u8();
  if (v !== version) bad(`format version ${v}, want ${version}`);
  const member = r.text(limit.text);
  const author = { member, key: r.fixed(32), practitioner: r.text(limit.text), name: r.text(limit.text), role: r.text(limit.text) };
  const created = r.count64();
  const items = times(r.count(limit.items, 21), () => readItem(r));
  if (items.length === 0) bad("no items");
  if (new Set(items.map((x) => `${x.type}/${x.id}`)).size !== items.length) bad("a resource stands twice");
  return { author, created, items };
}

function readItem(r: Reader): Received {
  const [type, id, s] = [r.text(64), r.text(64), r.u8()];
  const status = statuses[s - 1] ?? bad(`status ${s}`);
  const supersedes = times(r.count(limit.supersedes, 8), () => r.count64());
  const pairs = times(r.count(limit.refs, 8), () => [r.text(limit.reference), r.text(limit.reference)] as const);
  const raw = r.bytes(limit.resource);
  if (placeOf(type) === undefined || !/^[A-Za-z0-9.-]{1,64}$/.test(id)) bad("a type or id that FHIR doesn't have");
  if (!ascending(supersedes)) bad("superseded entries out of order");
  if ((raw.length === 0) !== (status === "deleted") || (pairs.length > 0 && raw.length === 0))
    bad("a deletion with a resource, or the reverse");
  pairs.forEach(([from, to], i) => {
    if (to === "" || to === from || (i > 0 && compare(utf8(from), utf8(pairs[i - 1]![0])) <= 0)) bad("references out of order");
  });
  const json = text(raw);
  const scanned = status === "deleted" ? null : scan(json);
  const at = scanned?.members.get("resourceType");
  if (scanned && (!at || json.slice(at.from, at.to) !== `"${type}"`)) bad("a resource of another type");
  return { type, id, status, supersedes, refs: new Map(pairs), json, scanned };
}

/** A new item that a patient or device writes. */
export interface NewItem {
  type: string;
  id: string;
  json: string; // "" to delete
  supersedes: number[];
}

/** Makes and signs a content of the patient's own: no member is named. */
export async function signContent(by: Signer, record: Bytes, created: number, items: NewItem[]): Promise<Bytes> {
  const w = writer().u8(contentVersion).text("").fixed(by.public).text("").text("").text("").u64(created).u32(items.length);
  for (const x of items) writeItem(w, x);
  const unsigned = w.done();
  return writer()
    .fixed(unsigned)
    .fixed(await by.sign(provenance(record, unsigned)))
    .done();
}

function writeItem(w: Writer, x: NewItem): void {
  w.text(x.type)
    .text(x.id)
    .u8(x.json === "" ? 3 : 1);
  w.u32(x.supersedes.length);
  for (const n of x.supersedes) w.u64(n);
  w.u32(0).text(x.json);
}
