import { expect, test } from "vitest";
import { type Bytes, concat, hex, unbase64 } from "../bytes.ts";
import { vectors } from "../testing/vectors.ts";
import { u32 } from "../wire.ts";
import { byPlace, decodeCertificate, encodeCertificate, verifyCertificate } from "./certificate.ts";
import { parseGenesis } from "./genesis.ts";
import { type Agreed, decodeReceipt } from "./receipt.ts";

interface Vectors {
  genesis: unknown;
  certificate: string;
  shown: {
    log: string;
    entry: number;
    at: string;
    records: { entry: number }[];
    deleted: ({ upto: number; at: string } | null)[];
  }[];
  [receipt: string]: unknown;
}

const v = vectors<Vectors>("certificate");
const g = parseGenesis(JSON.stringify(v.genesis));
const certificate = unbase64(v.certificate);
const altered = expect.objectContaining({ failure: "altered" });

test("a certificate shows what was ordered, and which members have said that they deleted it", async () => {
  const c = decodeCertificate(certificate);
  expect(hex(encodeCertificate(c))).toBe(hex(certificate));
  const got = (await verifyCertificate(c, g)).map((x) => ({
    log: `log:${hex(x.log)}`,
    entry: x.entry,
    at: x.at,
    records: x.records,
    deleted: x.deleted.map((d) => d && [d.upto, d.at]),
  }));
  expect(got).toEqual(
    v.shown.map((x) => ({
      log: x.log,
      entry: x.entry,
      at: Date.parse(x.at),
      records: x.records.map((r) => r.entry),
      deleted: x.deleted.map((d) => d && [d.upto, Date.parse(d.at)]),
    })),
  );
  expect(got.map((x) => x.deleted.includes(null))).toEqual([false, true]); // of the first all have deleted
});

test("a certificate is refused after any byte was changed, cut off or added", async () => {
  const agreed: Agreed = new Map();
  await verifyCertificate(decodeCertificate(certificate), g, agreed);
  const refused = async (b: Bytes, why: string) =>
    expect((async () => verifyCertificate(decodeCertificate(b), g, agreed))(), why).rejects.toEqual(altered);
  for (let i = 0; i < certificate.length; i += 13)
    await refused(certificate.map((x, n) => (n === i ? x ^ (1 << (i % 8)) : x)) as Bytes, `byte ${i}`);
  for (let i = 0; i < certificate.length; i += 97) await refused(certificate.slice(0, i) as Bytes, `${i} bytes`);
  await refused(concat(certificate, new Uint8Array(1)), "a byte more");
});

test("what has no place in a certificate is refused, whoever signed it", async () => {
  const c = decodeCertificate(certificate);
  const [first, second] = [c.orders[0]!, c.orders[1]!];
  const receipts = Object.entries(v).flatMap(([name, x]) =>
    typeof x === "string" && name !== "certificate" ? [{ name, encoded: unbase64(x) }] : [],
  );
  expect(receipts.length).toBeGreaterThan(2);
  for (const { name, encoded } of receipts) {
    const receipt = decodeReceipt(encoded);
    await expect(verifyCertificate({ ...c, deletions: [{ encoded, receipt }] }, g), name).rejects.toEqual(altered);
    await expect(verifyCertificate({ ...c, orders: [{ ...first, destroy: receipt }] }, g), name).rejects.toEqual(altered);
  }
  const ways = {
    "a record is lacking": { ...c, orders: [{ ...first, records: first.records.slice(1) }] },
    "a record of another order": { ...c, orders: [{ ...first, records: second.records }] },
    "the same member twice": { ...c, deletions: [c.deletions[0]!, c.deletions[0]!] },
    "members out of order": { ...c, deletions: c.deletions.toReversed() },
  };
  for (const [why, x] of Object.entries(ways)) await expect(verifyCertificate(x, g), why).rejects.toEqual(altered);
  const twice = encodeCertificate({ ...c, orders: c.orders.toReversed() });
  expect(byPlace(first.destroy, second.destroy)).toBeLessThan(0);
  expect(() => decodeCertificate(twice)).toThrow(/ascending/);
  expect(() => decodeCertificate(concat(certificate.slice(0, 30), u32(0), u32(0)))).toThrow(/no orders/);
});
