import { expect, test } from "vitest";
import { hex, unhex } from "./bytes.ts";
import { claimedOf, custodyOf, decodeClaim, encodeClaim } from "./claimed.ts";
import { open, seal } from "./crypto/hpke.ts";
import { decapsulatorOf } from "./crypto/xwing.ts";
import { parseCard } from "./grant/card.ts";
import { openAnswer, sealClaim, signLocks } from "./grant/claim.ts";
import { exchangeHash, patientOf } from "./keys.ts";
import { clinicalSections, type SectionName } from "./names.ts";
import { vectors } from "./testing/vectors.ts";
import { rootOf } from "./words.ts";

interface ClaimVectors {
  words: string;
  custody: string;
  code: string;
  network: string;
  custodianSign: string;
  custodianExchangeSeed: string;
  chart: string;
  reply: string;
  epoch: number;
  keys: Record<string, { log: string; owner: string; exchange: string; readerBefore: string; readerAfter: string }>;
  claim: string;
  answer: string;
  locks: string;
}

const v = vectors<ClaimVectors>("claim");
const network = unhex(v.network, 32, "net:");

const patients = async (native = true) => {
  const own = await patientOf(network, await rootOf(v.words), native);
  const claim = { root: unhex(v.custody), epochs: new Map(clinicalSections.map((s) => [s, v.epoch])) };
  return { own, claim, mine: await claimedOf(own, claim, native), custody: await custodyOf(network, claim, native) };
};

test.each([true, false])("a claimed chart has the keys of the vectors, with the platform's keys: %s", async (native) => {
  const { mine } = await patients(native);
  expect(mine.chart).toBe(v.chart);
  for (const [name, want] of Object.entries(v.keys)) {
    const k = await mine.section(name as SectionName);
    const readers = [exchangeHash(await k.readerPublic(v.epoch)), exchangeHash(await k.readerPublic(v.epoch + 1))];
    expect([`log:${hex(k.log)}`, `vk:${hex(k.owner.public)}`, hex(exchangeHash(k.exchange.public)), ...readers.map(hex)], name).toEqual([
      want.log,
      want.owner,
      want.exchange,
      want.readerBefore,
      want.readerAfter,
    ]);
  }
});

test("what was sealed before the claim opens, and what is sealed after it", async () => {
  const { mine, custody } = await patients();
  const [now, old] = [(await mine.section("labs")).exchange, (await custody.section("labs")).exchange];
  const none = new Uint8Array(0);
  for (const to of [now.public, old.public]) {
    const sealed = await seal(to, "test", none, new Uint8Array([1, 2]));
    expect(await open(now, "test", none, sealed)).toEqual(new Uint8Array([1, 2]));
    await expect(open(now, "other", none, sealed)).rejects.toMatchObject({ failure: "altered" });
  }
});

test("a card is read as people type it, and no other way", () => {
  const want = { member: 0, chart: v.chart, network: network.slice(0, 3) };
  const flat = v.code.replaceAll("-", "");
  for (const typed of [
    v.code,
    flat,
    ` ${v.code.toLowerCase()}\n`,
    `vitalog:claim?${flat}`,
    `VITALOG:CLAIM?${flat}`,
    v.code.replaceAll("0", "o"),
  ])
    expect(parseCard(typed), typed).toMatchObject(want);
  for (const typed of [
    "",
    flat.slice(1),
    `${flat}0`,
    flat.replace(/.$/, "U"),
    `${flat.slice(0, 30)}${flat[30] === "7" ? "8" : "7"}${flat.slice(31)}`,
  ])
    expect(() => parseCard(typed), typed).toThrow(/^card:/);
  expect(() => parseCard(`1${flat.slice(1)}`)).toThrow(/^card-version:/);
});

test("the vectors' answer hands the root over, to who asked and to nobody else", async () => {
  const { own } = await patients();
  const reply = (await (await own.claiming(v.chart)).section("inbox")).exchange;
  expect(hex(exchangeHash(reply.public))).toBe(v.reply);
  const [sign, claim, answer] = [unhex(v.custodianSign, 32, "vk:"), unhex(v.claim), unhex(v.answer)];
  expect(hex(await openAnswer(network, sign, reply, claim, answer))).toBe(v.custody);
  for (const other of [
    () => openAnswer(network, unhex("07".repeat(32)), reply, claim, answer),
    () => openAnswer(network, sign, reply, claim.slice(1), answer),
    async () => openAnswer(network, sign, (await own.section("inbox")).exchange, claim, answer),
  ])
    await expect(other()).rejects.toMatchObject({ failure: "altered" });
});

test("a claim opens for the custodian, and has the form of the vectors'", async () => {
  const custodian = await decapsulatorOf(unhex(v.custodianExchangeSeed));
  const card = parseCard(v.code);
  const { own } = await patients();
  const reply = (await (await own.claiming(v.chart)).section("inbox")).exchange;
  const sealed = await sealClaim(network, card, custodian.public, reply.public);
  const aad = new Uint8Array([...network, 0, 0]);
  expect(await open(custodian, "vitalog/v1/claim", aad, sealed)).toEqual(await open(custodian, "vitalog/v1/claim", aad, unhex(v.claim)));
});

test("owner locks are asked for as in the vectors", async () => {
  const k = await (await patients()).mine.section("labs");
  const wish = { chart: v.chart, log: k.log, exchange: k.exchange.public, at: 1_800_000_000_000, entries: [2, 3, 5] };
  expect(hex(await signLocks(network, 0, k.owner, wish))).toBe(v.locks);
});

test("a claim as the browser keeps it reads back, and nothing else does", async () => {
  const { claim } = await patients();
  const b = encodeClaim(claim);
  expect(decodeClaim(b)).toEqual(claim);
  expect(() => decodeClaim(b.slice(1))).toThrow();
  expect(() => decodeClaim(encodeClaim({ ...claim, epochs: new Map() }))).toThrow(/^damaged/);
});
