import { describe, expect, test } from "vitest";
import { type Bytes, hex, sha256, unbase64, unhex } from "../bytes.ts";
import { signerOf } from "../crypto/ed25519.ts";
import { vectors } from "../testing/vectors.ts";
import { reader, times, u64, writer } from "../wire.ts";
import { decodeEntry, entryHash } from "./entry.ts";
import { parseGenesis } from "./genesis.ts";
import { decodeHead, headHash } from "./head.ts";
import { checkInclusion, emptyFrontier, grown, rootOfFrontier } from "./merkle.ts";
import { type Body, entryOf, sign } from "./operation.ts";
import { checkProof, readProof, stateHash } from "./proof.ts";
import { decodeReceipt, verifyReceipt } from "./receipt.ts";

const log = (s: string): Bytes => unhex(s, 32, "log:");
const altered = expect.objectContaining({ failure: "altered" });

interface OperationVectors {
  network: string;
  ownerSeed: string;
  log: string;
  operations: { kind: string; id: string; encoded: string }[];
  entries: { kind: string; number: number; encoded: string; hash: string }[];
  head: { encoded: string; hash: string };
}

describe("operations", () => {
  const v = vectors<OperationVectors>("operations");

  test.each(
    v.operations.filter((o) => ["create", "append", "grant", "revoke", "rotate", "erase-block", "erase-destroy", "post"].includes(o.kind)),
  )("$kind is signed as in the vectors", async (want) => {
    const r = reader(unhex(want.encoded), "operation");
    const kind = [r.u8(), r.u8()][1]!;
    r.fixed(4);
    const [at, signer, nonce, expires, body] = [r.fixed(32), r.fixed(32), r.fixed(16), r.count64(), r.bytes(1 << 20)];
    const owner = await signerOf(unhex(v.ownerSeed));
    expect(hex(signer)).toBe(hex(owner.public));
    const said = kind === 2 ? appended(body) : (decodeEntry(at, 0, writer().u8(kind).u64(1).fixed(signer).fixed(body).done()).says as Body);
    const got = await sign(unhex(v.network, 32, "net:"), owner, at, said, expires, nonce);
    expect([hex(got.encoded), hex(got.id)]).toEqual([want.encoded, want.id]);
    const e = decodeEntry(at, 0, entryOf(got, 7));
    expect([e.says.kind, e.at, hex(e.signer)]).toEqual([want.kind, 7, hex(signer)]);
  });

  test("entries and heads are read, each in its only form", () => {
    for (const e of v.entries) {
      const encoded = unhex(e.encoded);
      expect(decodeEntry(log(v.log), e.number, encoded).says.kind).toBe(e.kind);
      expect(hex(entryHash(log(v.log), e.number, encoded))).toBe(e.hash);
      for (const bad of [encoded.slice(0, -1), new Uint8Array([...encoded, 0]), new Uint8Array([99, ...encoded.slice(1)])])
        expect(() => decodeEntry(log(v.log), e.number, bad)).toThrow(altered);
    }
    const stored = unhex(v.entries.find((e) => e.kind === "stored")!.encoded); // upto, and two hashes missing, from byte 53 on
    for (const first of [0x20, 0x11])
      expect(() => decodeEntry(log(v.log), 0, stored.map((b, i) => (i === 53 ? first : b)) as Bytes)).toThrow(altered);
    expect(v.entries.map((e) => decodeEntry(log(v.log), e.number, unhex(e.encoded)).says).filter((s) => s.kind === "keep")).toEqual([
      {
        kind: "keep",
        destroy: 10,
        ranges: [
          { from: 2n, to: 3n },
          { from: 5n, to: 6n },
        ],
        until: 2_080_000_000_000,
      },
    ]);
    const head = unhex(v.head.encoded);
    expect(decodeHead(head).kept.map((x) => [x.from, x.to, x.until])).toEqual([
      [2n, 3n, 1_900_000_000_000],
      [5n, 7n, 2_080_000_000_000],
    ]);
    const kept = head.length - 20 - 2 * 56; // two of them, before the quota
    const [from, until] = [(i: number) => kept + 56 * i + 32, (i: number) => kept + 56 * i + 48];
    for (const change of [
      (b: Bytes) => b.copyWithin(from(1), from(0), from(0) + 16), // twice
      (b: Bytes) => b.copyWithin(from(1) + 8, from(1), from(1) + 8), // nothing
      (b: Bytes) =>
        b
          .copyWithin(kept, kept + 56, kept + 88)
          .copyWithin(until(1), until(0), until(0) + 8)
          .fill(3, from(1) + 7, from(1) + 8), // in pieces
    ]) {
      const bad = head.slice();
      change(bad);
      expect(() => decodeHead(bad)).toThrow(altered);
    }
    expect(hex(headHash(log(v.log), head))).toBe(v.head.hash);
    expect(hex(decodeHead(head).log)).toBe(hex(log(v.log)));
    for (let i = 0; i < head.length; i += 3) expect(() => decodeHead(head.slice(0, i))).toThrow(altered);
  });
});

function appended(body: Bytes): Body {
  const r = reader(body, "append");
  const [epoch, generation, n] = [r.u32(), r.u32(), r.u32()];
  return {
    kind: "append",
    epoch,
    generation,
    records: times(n, () => ({ record: r.fixed(32), core: r.fixed(32), blob: r.fixed(32), size: r.u8() })),
  };
}

describe("a log", () => {
  interface LogVectors {
    genesis: unknown;
    network: string;
    log: string;
    entries: { encoded: string; hash: string }[];
    head: string;
    state: { heads: string; count: number; clock: number; keys: string; rest: string };
    blocks: { appHash: string }[];
    proof: string;
    tree: { size: number; root: string; index: number; path: string[] }[];
  }
  const v = vectors<LogVectors>("log");

  test("grows to the root in its head, and proves its entries to the app hash", () => {
    expect(hex(parseGenesis(JSON.stringify(v.genesis)).network)).toBe(v.network.slice(4));
    const head = decodeHead(unhex(v.head));
    const hashes = v.entries.map((e, i) => entryHash(log(v.log), i, unhex(e.encoded)));
    expect(hashes.map(hex)).toEqual(v.entries.map((e) => e.hash));
    const half = grown(emptyFrontier(), hashes.slice(0, 3));
    expect(hex(rootOfFrontier(grown(half, hashes.slice(3))))).toBe(hex(head.root));
    expect(half.size).toBe(3);
    const p = readProof(reader(unhex(v.proof), "proof"));
    expect(hex(stateHash(p.state))).toBe(v.blocks.at(-1)!.appHash);
    const n = v.entries.length - 1;
    expect(checkProof(p, log(v.log), n).entry.number).toBe(n);
    expect(() => checkProof(p, log(v.log), 0)).toThrow(altered);
  });

  test("has paths that fit one place each", () => {
    for (const t of v.tree) {
      const path = t.path.map((x) => unhex(x));
      const root = unhex(t.root);
      const leaf = sha256(u64(t.index));
      checkInclusion(root, t.size, t.index, leaf, path, "tree");
      expect(() => checkInclusion(root, t.size, t.index + 1, leaf, path, "tree")).toThrow(altered);
      expect(() => checkInclusion(root, t.size, t.index, leaf, [...path, root], "tree")).toThrow(altered);
      if (path.length > 0) expect(() => checkInclusion(root, t.size, t.index, leaf, path.slice(1), "tree")).toThrow(altered);
    }
  });
});

describe("receipts", () => {
  interface ReceiptVectors {
    genesis: unknown;
    receipts: { kind: string; log: string; number: number; height: number; time: string; signed: number; of: number; receipt: string }[];
  }
  const v = vectors<ReceiptVectors>("receipt");
  const g = parseGenesis(JSON.stringify(v.genesis));

  test("of every kind of entry verify under the genesis", async () => {
    for (const want of v.receipts) {
      const got = await verifyReceipt(decodeReceipt(unbase64(want.receipt)), g);
      expect([hex(got.log), got.number, got.entry.says.kind, got.height, got.signed, got.of]).toEqual([
        want.log.slice(4),
        want.number,
        want.kind,
        want.height,
        want.signed,
        want.of,
      ]);
      expect(new Date(got.at).toISOString().slice(0, 23)).toBe(want.time.slice(0, 23));
    }
  });

  test("are refused after any one byte was changed, also where the receipt itself was verified before", async () => {
    const b = unbase64(v.receipts[4]!.receipt);
    const agreed = new Map();
    expect((await verifyReceipt(decodeReceipt(b), g, agreed)).signed).toBe((await verifyReceipt(decodeReceipt(b), g, agreed)).signed);
    expect(agreed.size).toBe(1);
    for (let i = 0; i < b.length; i++) {
      const bad = b.slice();
      bad[i]! ^= 1 << (i % 8);
      await expect((async () => verifyReceipt(decodeReceipt(bad), g, agreed))(), `byte ${i}`).rejects.toThrow(altered);
    }
    for (let i = 0; i < b.length; i += 7) expect(() => decodeReceipt(b.slice(0, i))).toThrow(altered);
    expect(() => decodeReceipt(new Uint8Array([...b, 0]))).toThrow(altered);
  });

  test("need more than two thirds of the genesis' validators", async () => {
    const x = decodeReceipt(unbase64(v.receipts[1]!.receipt));
    const votes = x.votes.slice();
    votes[votes.findIndex((y) => y !== null)] = null;
    await expect(verifyReceipt({ ...x, votes }, g)).rejects.toThrow(/2 of 4 signed/);
    await expect(verifyReceipt({ ...x, votes: x.votes.slice(1) }, g)).rejects.toThrow(/validators/);
    await expect(verifyReceipt(x, { ...g, chain: "vitalog-0000000000000000" })).rejects.toThrow(/signature/);
    await expect(verifyReceipt(x, { ...g, validators: g.validators.toReversed() })).rejects.toThrow(/validators/);
  });
});

test("a genesis is read strictly, and any change of it is another network", () => {
  const raw = () =>
    structuredClone(vectors<{ genesis: { name: string; members: { name: string; sign: string; node: string }[] } }>("receipt").genesis);
  const network = hex(parseGenesis(JSON.stringify(raw())).network);
  const other = raw();
  other.members[0]!.name += "!";
  expect(hex(parseGenesis(JSON.stringify(other)).network)).not.toBe(network);
  const shared = raw();
  shared.members[0]!.sign = shared.members[0]!.node;
  for (const bad of [
    "",
    "{}",
    "[]",
    JSON.stringify({ ...raw(), more: 1 }),
    JSON.stringify({ ...raw(), version: 2 }),
    JSON.stringify(shared),
  ])
    expect(() => parseGenesis(bad)).toThrow(expect.objectContaining({ failure: "other-network" }));
});
