/**
 * A certificate of an erasure shows to whoever has the genesis, and nothing else, which records were ordered destroyed, and which members have said since that
 * they deleted them (spec/erasure.md).
 */

import { type Bytes, compare, equal, utf8 } from "../bytes.ts";
import { fail } from "../failure.ts";
import { logId } from "../keys.ts";
import { type Reader, reader, sum, times, type Writer, writer } from "../wire.ts";
import { decodeEntry, entryHash, maxEntry } from "./entry.ts";
import type { Genesis } from "./genesis.ts";
import { checkInclusion } from "./merkle.ts";
import { readPath } from "./proof.ts";
import { type Agreed, decodeReceipt, type Receipt, verifyReceipt } from "./receipt.ts";
import { entriesIn } from "./terms.ts";

/** The order's receipt, and each record that it names with its way up to the root of its log. */
export interface Order {
  encoded: Bytes;
  destroy: Receipt;
  records: { number: number; entry: Bytes; path: Bytes[] }[];
}

export interface Certificate {
  orders: Order[]; // ascending by log and entry
  deletions: { encoded: Bytes; receipt: Receipt }[]; // of what members said, ascending by their numbers
}

/** What a certificate shows of one order. */
export interface Shown {
  log: Bytes;
  entry: number;
  at: number; // ledger clock, ms
  records: number[];
  deleted: (Deletion | null)[]; // by member; null: it has not said yet that it deleted these
}

export interface Deletion {
  at: number; // ledger clock, ms
  upto: number; // block
}

/** Where a member says what it stores and what it has deleted. */
export const storedLog = (network: Bytes, member: Bytes): Bytes => logId(network, member, sum("vitalog/v1/stored"));

const magic = utf8("vitalog erasure certificate 1\n");
const [maxOrders, maxRecords, maxMembers, maxReceipt, least] = [4096, 1000, 128, 4 << 20, 8];

const bad = (why: string): never => fail("altered", `certificate: ${why}`);

export function decodeCertificate(b: Bytes): Certificate {
  if (!equal(b.slice(0, magic.length), magic)) bad("of a format that this program does not read");
  const r = reader(b.slice(magic.length), "certificate");
  const orders = times(r.count(maxOrders, least), () => readOrder(r, b));
  if (orders.length === 0) bad("no orders");
  if (orders.some((o, i) => i > 0 && byPlace(orders[i - 1]!.destroy, o.destroy) >= 0)) bad("orders that are not ascending");
  const deletions = times(r.count(maxMembers, least), () => {
    const encoded = r.bytes(maxReceipt);
    return { encoded, receipt: decodeReceipt(encoded) };
  });
  r.end();
  return { orders, deletions };
}

function readOrder(r: Reader, b: Bytes): Order {
  const from = r.at() + magic.length;
  const destroy = decodeReceipt(r.bytes(maxReceipt));
  const records = times(r.count(maxRecords, least), () => ({ number: r.count64(), entry: r.bytes(maxEntry), path: readPath(r) }));
  return { encoded: b.slice(from, r.at() + magic.length), destroy, records };
}

/** By log and entry. */
export const byPlace = (a: { log: Bytes; number: number }, b: { log: Bytes; number: number }): number =>
  compare(a.log, b.log) || a.number - b.number;

export function encodeCertificate(c: Certificate): Bytes {
  const w: Writer = writer().fixed(magic).u32(c.orders.length);
  for (const o of c.orders) w.fixed(o.encoded);
  w.u32(c.deletions.length);
  for (const d of c.deletions) w.bytes(d.encoded);
  return w.done();
}

/** Follows every receipt to the validators of the genesis, and tells what is shown, by order. */
export async function verifyCertificate(c: Certificate, g: Genesis, agreed: Agreed = new Map()): Promise<Shown[]> {
  const out: Shown[] = [];
  for (const o of c.orders) out.push(await shownOf(o, g, agreed));
  let last = -1;
  for (const d of c.deletions) {
    const { member, at, upto, before } = await saidIn(d.receipt, g, agreed);
    if (member <= last) bad(`member ${member} after member ${last}`);
    last = member;
    const meant = out.filter((x) => x.at < before);
    if (meant.length === 0) bad(`the word of member ${member} is older than the orders`);
    for (const x of meant) x.deleted[member] = { at, upto };
  }
  return out;
}

async function shownOf(o: Order, g: Genesis, agreed: Agreed): Promise<Shown> {
  const { log, number, entry, head } = await verifyReceipt(o.destroy, g, agreed);
  if (entry.says.kind !== "erase-destroy") return bad(`entry ${number} orders nothing destroyed`);
  const named = entriesIn(entry.says.ranges);
  if (named.length !== o.records.length) bad(`${o.records.length} records, the order names ${named.length}`);
  for (const [i, x] of o.records.entries()) {
    if (x.number !== named[i]) bad(`entry ${named[i]} is lacking`);
    checkInclusion(head.root, head.size, x.number, entryHash(log, x.number, x.entry), x.path, `certificate: entry ${x.number}`);
    if (decodeEntry(log, x.number, x.entry).says.kind !== "append") bad(`entry ${x.number} is no record`);
  }
  return { log, entry: number, at: entry.at, records: named, deleted: g.members.map(() => null) };
}

/** Which member says by a receipt that it has deleted, and what. */
async function saidIn(x: Receipt, g: Genesis, agreed: Agreed): Promise<Deletion & { member: number; before: number }> {
  const { log, entry } = await verifyReceipt(x, g, agreed);
  if (entry.says.kind !== "deleted") return bad("it is no member's word that it has deleted");
  const member = g.members.findIndex((m) => equal(m.sign, entry.signer));
  if (member < 0 || !equal(log, storedLog(g.network, entry.signer))) bad("it is no member that speaks in its own log");
  return { member, at: entry.at, upto: entry.says.upto, before: entry.says.before };
}
