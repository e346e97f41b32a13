import { describe, expect, test } from "vitest";
import { type Bytes, hex, unhex } from "../bytes.ts";
import { signerOf } from "../crypto/ed25519.ts";
import { decapsulatorOf } from "../crypto/xwing.ts";
import { patientOf } from "../keys.ts";
import { vectors } from "../testing/vectors.ts";
import { reader, sum } from "../wire.ts";
import { sealAnswer, sealGrant } from "./message.ts";
import { encodeRelease, openRelease } from "./release.ts";
import { line, lines, openMessage, readLine, readLines, sealMessage } from "./sealed.ts";

interface Vector {
  name: string;
  info: string;
  recipientSeed: string;
  aad: string;
  plaintext: string;
  sealed: string;
  says: { terms?: { uses: number }; granted?: { section: number; log: string; entry: number }[]; note?: string };
}

interface ReleaseVector {
  number: number;
  member: number;
  generation: number;
  shareSet: number;
  entries: number[];
  partials: { number: number; partial: string }[];
}

const all = [...vectors<Vector[]>("grant"), ...vectors<Vector[]>("access")];
const altered = expect.objectContaining({ failure: "altered" });

describe.each(all)("the sealed $name of the vectors", (v) => {
  const by = () => decapsulatorOf(unhex(v.recipientSeed));

  test("opens to what was sealed, in its context only", async () => {
    expect(hex(await openMessage(await by(), v.info, unhex(v.aad), unhex(v.sealed)))).toBe(v.plaintext);
    const aad = unhex(v.aad);
    aad[40]! ^= 1;
    await expect(openMessage(await by(), v.info, aad, unhex(v.sealed))).rejects.toThrow(altered);
    await expect(openMessage(await by(), "vitalog/v1/other", unhex(v.aad), unhex(v.sealed))).rejects.toThrow(altered);
  });

  test("is sealed here to the same length", async () => {
    const to = (await by()).public;
    expect((await sealMessage(to, v.info, unhex(v.aad), unhex(v.plaintext))).length).toBe(v.sealed.length / 2);
  });
});

test("grant messages and answers are written in the form of the vectors", async () => {
  const to = await decapsulatorOf(unhex("07".repeat(32)));
  const p = await patientOf(unhex("5f".repeat(32)), unhex("01".repeat(32)));
  const k = await p.section("labs");
  const key = unhex("06".repeat(32));
  const terms = { key, rights: 2, ranges: [{ from: 0n, to: 9n }], from: 1n, until: 2n, uses: 20, parent: 0n };
  const sealed = await sealGrant(p, k, to.public, { purpose: "TREAT", label: "Dr. Ibáñez", terms, epochs: [1, 2] });
  const m = reader(await openMessage(to, "vitalog/v1/grant", new Uint8Array([...p.network, ...k.log, ...key]), sealed), "message");
  expect([m.u8(), hex(m.fixed(32)), hex(m.fixed(32)), m.u8(), m.text(16), m.text(64)]).toEqual([
    1,
    hex(p.network),
    hex(k.log),
    5,
    "TREAT",
    p.chart,
  ]);
  expect([hex(m.fixed(1216)), m.flag()]).toEqual([hex(k.exchange.public), false]);
  m.fixed(64); // the handle
  expect([m.text(128), hex(m.fixed(32)), m.u8(), m.u8()]).toEqual(["Dr. Ibáñez", hex(key), 2, 1]);
  expect([m.u64(), m.u64(), m.u64(), m.u64(), m.u32(), m.u64()]).toEqual([0n, 9n, 1n, 2n, 20, 0n]);
  const seeds = [m.u32(), m.u32(), hex(m.fixed(32)), m.u32(), hex(m.fixed(32))];
  expect(seeds).toEqual([2, 1, hex(await k.readerSeed(1)), 2, hex(await k.readerSeed(2))]);
  m.end();

  const owner = await signerOf(unhex("03".repeat(32)));
  const said = {
    request: "0a".repeat(16),
    given: [{ section: "labs", log: k.log, entry: 12 }],
    denied: ["vitals", "hiv"],
    note: "no",
  } as const;
  const answer = await sealAnswer(p.network, k.log, owner, to.public, { ...said, given: [...said.given], denied: [...said.denied] });
  const plain = await openMessage(to, "vitalog/v1/answer", new Uint8Array([...p.network, ...k.log]), answer);
  const a = reader(plain, "answer");
  expect([a.u8(), hex(a.fixed(16)), a.u8(), a.u8(), hex(a.fixed(32)), a.u64()]).toEqual([1, said.request, 1, 5, hex(k.log), 12n]);
  expect([a.u8(), a.u8(), a.u8(), a.text(99)]).toEqual([2, 6, 16, "no"]);
  const unsigned = plain.slice(0, a.at());
  expect(hex(a.fixed(64))).toBe(hex(await owner.sign(sum("vitalog/v1/answer", p.network, k.log, unsigned))));
  a.end();
});

test("texts can't read otherwise than they are written", () => {
  const of = (s: string) =>
    reader(new Uint8Array([0, 0, 0, new TextEncoder().encode(s).length, ...new TextEncoder().encode(s)]) as Bytes, "text");
  for (const bad of ["a\u202eb", "a\u0000", "a\tb", "\u2066x", "a\u0085"]) {
    expect(() => readLine(of(bad), 99)).toThrow(altered);
    expect(() => readLines(of(bad), 99)).toThrow(altered);
    expect(readLine(of(line(bad)), 99)).not.toBe(bad);
  }
  expect(() => readLine(of("a\nb"), 99)).toThrow(altered);
  expect(readLines(of("a\nb"), 99)).toBe("a\nb");
  expect([line(" Dr.\n Ada "), lines("a\t\nb\u202e ")]).toEqual(["Dr.  Ada", "a\nb"]);
});

test("a release is asked for and opened as in the vectors, by that session, of that holder", async () => {
  const v = vectors<Record<"sessionSeed" | "log" | "detail" | "request" | "access" | "reply", string> & ReleaseVector>("release");
  const session = await decapsulatorOf(unhex(v.sessionSeed));
  const a = { log: unhex(v.log, 32, "log:"), entry: v.number, hash: unhex(v.access), session, detail: unhex(v.detail) };
  expect(hex(encodeRelease(a, v.entries))).toBe(v.request);
  const parts = await openRelease(a, v.generation, v.shareSet, v.member, unhex(v.reply));
  expect([...parts].map(([number, p]) => ({ number, partial: hex(p) }))).toEqual(v.partials);
  await expect(openRelease(a, v.generation, v.shareSet, v.member + 1, unhex(v.reply))).rejects.toThrow(altered);
  await expect(openRelease({ ...a, hash: a.log }, v.generation, v.shareSet, v.member, unhex(v.reply))).rejects.toThrow(altered);
  expect((await openRelease(a, v.generation, v.shareSet + 1, v.member, unhex(v.reply))).size).toBe(0);
});
