import { deflateRawSync } from "node:zlib";
import { Aes256Gcm, CipherSuite, HkdfSha256 } from "@hpke/core";
import { XWing } from "@hpke/hybridkem-x-wing";
import { describe, expect, test } from "vitest";
import { type Bytes, hex, text, unhex, utf8 } from "../bytes.ts";
import { decapsulatorOf } from "../crypto/xwing.ts";
import { vectors } from "../testing/vectors.ts";
import { byOwner, openBlob, ownerSecret, seal } from "./envelope.ts";
import { checkHeader, contextHash, coreOf, decodeHeader, encodeHeader, type Header, lockAad, recordOf, releaseId } from "./header.ts";
import { inflate } from "./inflate.ts";
import { decapsulate, encapsulate, isPart, quorum } from "./network.ts";
import { pad, padme, unpad } from "./pad.ts";

interface EnvelopeVectors {
  keys: { ownerSeed: string; networkPublic: string };
  generation: number;
  envelopes: (Record<"network" | "log" | "writer" | "content" | "header" | "blob" | "rid" | "ctx" | "com" | "core" | "blobHash", string> &
    Record<"releaseID" | "combined" | "secret" | "b" | "r", string> & { padded: number; compressed: boolean; created: number })[];
  padme: [number, number][];
}

const v = vectors<EnvelopeVectors>("envelope");
const owner = () => decapsulatorOf(unhex(v.keys.ownerSeed));
const opened = async (h: Header, blob: Bytes) => openBlob(h, await byOwner(h, await owner()), blob);

describe.each(v.envelopes)("the envelope of a record, compressed: $compressed", (e) => {
  const h = () => decodeHeader(unhex(e.header));
  const committed = { log: unhex(e.log), record: unhex(e.rid), writer: unhex(e.writer), core: unhex(e.core), blob: unhex(e.blobHash) };

  test("has the header of the vectors", () => {
    expect(hex(encodeHeader(h()))).toBe(e.header);
    expect([hex(recordOf(h())), hex(contextHash(h())), hex(coreOf(h())), hex(releaseId(h(), v.generation))]).toEqual([
      e.rid,
      e.ctx,
      e.core,
      e.releaseID,
    ]);
    checkHeader(h(), unhex(e.network), committed);
    for (const part of ["log", "record", "writer", "core", "blob"] as const) {
      const other = committed[part].slice();
      other[3]! ^= 1;
      expect(() => checkHeader(h(), unhex(e.network), { ...committed, [part]: other })).toThrow(/altered/);
    }
  });

  test("opens with the owner lock", async () => {
    expect(text(await opened(h(), unhex(e.blob)))).toBe(e.content);
  });

  test("has an owner lock that another implementation of HPKE opens, as it does one that is sealed here", async () => {
    const suite = new CipherSuite({ kem: new XWing(), kdf: new HkdfSha256(), aead: new Aes256Gcm() });
    const recipientKey = await suite.kem.importKey("raw", unhex(v.keys.ownerSeed).buffer, false);
    const opensTo = async (x: Header): Promise<string> => {
      const [enc, info] = [x.owner!.slice(0, 1120), utf8("vitalog/v1/lock/owner")];
      const context = await suite.createRecipientContext({ recipientKey, enc, info });
      return hex(new Uint8Array(await context.open(x.owner!.slice(1120), lockAad(x, 1, 0))));
    };
    expect(await opensTo(h())).toBe(e.r);
    const to = {
      owner: (await owner()).public,
      reader: (await owner()).public,
      epoch: 1,
      network: unhex(v.keys.networkPublic),
      generation: 1,
    };
    const s = await seal(h(), utf8("fresh"), to);
    expect(await opensTo(s.header)).toBe(hex(await ownerSecret(s.header, await owner())));
  });

  test("makes the secret of the network lock", async () => {
    const secret = await decapsulate(unhex(e.combined), h().net!.u, unhex(e.releaseID));
    expect(hex(secret)).toBe(e.secret);
    expect(hex(secret.map((x, i) => x ^ h().net!.masked[i]!) as Bytes)).toBe(e.b);
    const fresh = await encapsulate(unhex(v.keys.networkPublic), unhex(e.releaseID));
    expect(hex(await decapsulate(unhex(e.combined), fresh.u, unhex(e.releaseID)))).toBe(hex(fresh.secret));
  });

  test("is refused when a byte of it is changed, or it is cut or continued", async () => {
    const blob = unhex(e.blob);
    for (const bad of [blob.slice(1), blob.slice(0, -1), new Uint8Array([...blob, 0]), blob.map((x, i) => (i === 7 ? x ^ 1 : x))])
      await expect(opened(h(), bad as Bytes)).rejects.toMatchObject({ failure: "altered" });
    for (const at of [40, 100, 160, 170, 400]) {
      const bad = unhex(e.header);
      bad[at]! ^= 1;
      await expect((async () => opened(decodeHeader(bad), blob))()).rejects.toMatchObject({ failure: "altered" });
    }
    for (const bad of [unhex(e.header).slice(0, -1), new Uint8Array([...unhex(e.header), 0]), new Uint8Array(20000)])
      expect(() => decodeHeader(bad)).toThrow(/altered/);
  });

  test("is sealed so that it opens again, in one chunk and in four", async () => {
    const { network, log, writer, salt } = h();
    for (const content of [utf8(e.content), utf8("x".repeat(3)), new Uint8Array(200_000).map((_, i) => (i * i) % 251)]) {
      const c = { network, log, writer, salt, created: e.created, compressed: e.compressed };
      const to = {
        owner: (await owner()).public,
        reader: (await owner()).public,
        epoch: 2,
        network: unhex(v.keys.networkPublic),
        generation: 1,
      };
      const s = await seal(c, content, to);
      const again = decodeHeader(encodeHeader(s.header));
      expect(hex(await opened(again, s.blob))).toBe(hex(content));
      expect(again.readers[0]!.epoch).toBe(2);
    }
  });
});

test("lengths are those of Padmé, and padding is canonical", () => {
  for (const [n, want] of v.padme) expect([n, padme(n)]).toEqual([n, want]);
  for (let n = 1; n < 70000; n += 97) expect(unpad(pad(new Uint8Array(n).fill(7))).length).toBe(n);
  for (const bad of ["", "00", "0000", "8000000000", "01", "80000080000000000000"]) expect(() => unpad(unhex(bad))).toThrow(/altered/);
});

test("inflating gives what was deflated, and nothing that is cut, continued or too much", () => {
  const samples = [utf8(""), utf8("a"), utf8("Observation ".repeat(9000)), new Uint8Array(70_000).map((_, i) => (i * 2654435761) >>> 13)];
  for (const s of samples)
    for (const level of [0, 1, 6, 9]) {
      const packed = new Uint8Array(deflateRawSync(s, { level }));
      expect(hex(inflate(packed, s.length))).toBe(hex(s));
      expect(() => inflate(packed.slice(0, -1), 1 << 20)).toThrow(/altered/);
      expect(() => inflate(new Uint8Array([...packed, 0]), 1 << 20)).toThrow(/altered/);
      if (s.length > 0) expect(() => inflate(packed, s.length - 1)).toThrow(/altered/);
    }
});

test("the vectors of the arithmetic hold", async () => {
  const t = vectors<Record<"id" | "combined" | "u" | "secret", string> & { partials: string[]; polynomial: { commitments: string[] } }>(
    "threshold",
  );
  expect(hex(await decapsulate(unhex(t.combined), unhex(t.u), unhex(t.id)))).toBe(t.secret);
  const parts = t.partials.map((p) => unhex(p));
  for (const shares of [
    [1, 2, 3],
    [4, 3, 1],
  ])
    expect(hex((await quorum(shares))(shares.map((x) => parts[x - 1]!)))).toBe(t.combined);
  const polynomial = t.polynomial.commitments.map((c) => unhex(c));
  expect(await isPart(parts[1]!, 2, unhex(t.id), polynomial)).toBe(true);
  expect(await isPart(parts[1]!, 3, unhex(t.id), polynomial)).toBe(false);
  await expect(quorum([1, 1])).rejects.toThrow(/internal/);
  expect((await quorum([1, 2])).bind(null, [parts[0]!, new Uint8Array(48) as Bytes])).toThrow(/altered/);
});
