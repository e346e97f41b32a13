import { IDBFactory, IDBKeyRange } from "fake-indexeddb";
import { beforeAll, expect, test, vi } from "vitest";
import type { Erased } from "../api.ts";
import { countEntries, entriesIn } from "../ledger/terms.ts";
import { browserStore, memoryStore } from "../store.ts";
import { times } from "../wire.ts";
import { gathered, ordersOf } from "./erase.ts";

beforeAll(() => void vi.stubGlobal("IDBKeyRange", IDBKeyRange));

test("entries are ordered to be erased once each, by operations that the ledger takes", () => {
  const ways: [number[], number][] = [
    [[], 0],
    [[7], 1],
    [times(1000, (i) => i), 1],
    [times(2500, (i) => i + 3), 3],
    [times(64, (i) => 2 * i), 1],
    [times(130, (i) => 2 * i), 3],
    [[...times(63, (i) => 2 * i), ...times(1000, (i) => 200 + i)], 2],
  ];
  for (const [entries, operations] of ways) {
    const orders = ordersOf(entries);
    expect([orders.length, orders.flatMap(entriesIn)]).toEqual([operations, entries]);
    for (const o of orders) {
      expect([o.length <= 64, countEntries(o) <= 1000n]).toEqual([true, true]);
      for (const [i, r] of o.entries()) expect(r.from < r.to && (i === 0 || o[i - 1]!.to < r.from)).toBe(true);
    }
  }
});

test("orders that follow each other are one deed, which names each section once", () => {
  const order = (at: number, section: "labs" | "vitals", more: Partial<Erased> = {}): Erased => ({
    id: `${section}/${at}`,
    how: "destroy",
    by: { kind: "patient" },
    at,
    block: at / 1000,
    parts: [{ section, records: 2 }],
    orders: [{ section, entry: at }],
    kept: [],
    ...more,
  });
  const hospital = { kind: "member", number: 1, name: "St. Elena", memberKind: "provider" } as const;
  const keeps = (until: number) => ({ kept: [{ by: hospital, until }] });
  const all = [
    order(0, "labs", keeps(7)),
    order(10_000, "vitals", keeps(9)),
    order(11_000, "labs", { how: "block" }),
    order(12_000, "labs", { by: hospital }),
    order(25_000, "labs"),
    order(60_000, "labs"),
  ];
  const deeds = gathered(all);
  expect(deeds[0]).toMatchObject({ orders: [{ entry: 0 }, { entry: 10_000 }, { entry: 25_000 }], kept: [{ by: hospital, until: 9 }] });
  expect(deeds.map((e) => [e.id, e.how, e.by.kind, e.block, e.parts.map((p) => `${p.section} ${p.records}`)])).toEqual([
    ["labs/0", "destroy", "patient", 25, ["labs 4", "vitals 2"]],
    ["labs/11000", "block", "patient", 11, ["labs 2"]],
    ["labs/12000", "destroy", "member", 12, ["labs 2"]],
    ["labs/60000", "destroy", "patient", 60, ["labs 2"]],
  ]);
});

test("what is dropped from the browser goes with its parts, and nothing else does", async () => {
  for (const store of [memoryStore(), browserStore(new IDBFactory())]) {
    const rows = ["ab", "ab/0", "ab/12", "abc", "ab0", "aa", "b"];
    await store.cache(
      "blobs",
      rows.map((k) => [k, k]),
    );
    await store.cache("records", [["ab", 1]]);
    await store.drop("blobs", ["ab", "nothing"]);
    await store.drop("blobs", []);
    expect(await store.getAll("blobs", rows)).toEqual([undefined, undefined, undefined, "abc", "ab0", "aa", "b"]);
    expect(await store.get("records", "ab")).toBe(1);
  }
});
