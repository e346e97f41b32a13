import { Aes256Gcm, CipherSuite, HkdfSha256 } from "@hpke/core";
import { XWing } from "@hpke/hybridkem-x-wing";
import { ed25519 } from "@noble/curves/ed25519.js";
import { describe, expect, test } from "vitest";
import { type Bytes, hex, random, text, unhex, utf8 } from "./bytes.ts";
import { secretOf } from "./crypto/derive.ts";
import { signerOf, sound, verify } from "./crypto/ed25519.ts";
import { open, seal } from "./crypto/hpke.ts";
import { decapsulatorOf } from "./crypto/xwing.ts";
import { exchangeHash, patientOf, recordId } from "./keys.ts";
import { type SectionName, sectionName } from "./names.ts";
import { vectors } from "./testing/vectors.ts";
import { rootOf, wordsOf } from "./words.ts";

interface KeyVectors {
  root: string;
  network: string;
  recordSalt: string;
  sections: {
    section: number;
    salt: string;
    owner: string;
    log: string;
    exchangeHash: string;
    recordOfOwner: string;
    readers: { epoch: number; seed: string; hash: string }[];
  }[];
  derive: { secret: string; use: string; context: string; key: string };
  signing: { seed: string; public: string; message: string; signature: string };
  sealed: { seed: string; info: string; aad: string; plaintext: string; sealed: string };
  smallOrder: string[];
}

const v = vectors<KeyVectors>("key");

function soundByNoble(key: Uint8Array): boolean {
  try {
    return !ed25519.Point.fromBytes(key, true).isSmallOrder();
  } catch {
    return false;
  }
}

describe.each([true, false])("with the platform's keys: %s", (native) => {
  test("a root makes the keys of the vectors", async () => {
    const p = await patientOf(unhex(v.network), unhex(v.root), native);
    for (const want of v.sections) {
      const k = await p.section(sectionName(want.section) as SectionName);
      expect(hex(k.salt)).toBe(want.salt);
      expect(hex(k.owner.public)).toBe(want.owner);
      expect(hex(k.log)).toBe(want.log);
      expect(hex(exchangeHash(k.exchange.public))).toBe(want.exchangeHash);
      expect(hex(recordId(p.network, k.log, k.owner.public, unhex(v.recordSalt)))).toBe(want.recordOfOwner);
      for (const r of want.readers) {
        expect(hex(await k.readerSeed(r.epoch))).toBe(r.seed);
        expect(hex(exchangeHash(await k.readerPublic(r.epoch)))).toBe(r.hash);
      }
    }
  });

  test("signatures are those of the vectors", async () => {
    const s = await signerOf(unhex(v.signing.seed), native);
    const sig = await s.sign(utf8(v.signing.message));
    expect([hex(s.public), hex(sig)]).toEqual([v.signing.public, v.signing.signature]);
    expect(await verify(s.public, utf8(v.signing.message), sig, native)).toBe(true);
    expect(await verify(s.public, utf8("another"), sig, native)).toBe(false);
    sig[40]! ^= 1;
    expect(await verify(s.public, utf8(v.signing.message), sig, native)).toBe(false);
  });

  test("verification is ZIP-215, and keys of small order are unsound", async () => {
    for (const a of v.smallOrder) {
      expect(sound(unhex(a))).toBe(false);
      for (const r of v.smallOrder) expect(await verify(unhex(a), utf8("Zcash"), unhex(r + "00".repeat(32)), native)).toBe(true);
    }
    expect(sound(unhex(v.signing.public))).toBe(true);
    expect(sound(unhex(`02${"00".repeat(31)}`))).toBe(false);
    for (let i = 0; i < 256; i++) {
      const key = i < 20 ? unhex(`${(0xec + i).toString(16)}${"ff".repeat(30)}7f`, 32) : random(32); // from p - 1 on, and any
      expect([hex(key), sound(key)]).toEqual([hex(key), soundByNoble(key)]);
    }
  });

  test("what is sealed opens with that key in that context only", async () => {
    const own = await decapsulatorOf(unhex(v.sealed.seed), native);
    expect(text(await open(own, v.sealed.info, utf8(v.sealed.aad), unhex(v.sealed.sealed)))).toBe(v.sealed.plaintext);
    const sealed = await seal(own.public, "info", utf8("aad"), utf8("plain"), native);
    expect(text(await open(own, "info", utf8("aad"), sealed))).toBe("plain");
    const other = await decapsulatorOf(unhex(v.derive.secret.replace("00", "ff")), native);
    const altered = sealed.slice();
    altered[5]! ^= 1;
    for (const [by, info, aad, b] of [
      [other, "info", "aad", sealed],
      [own, "inf", "aad", sealed],
      [own, "info", "aa", sealed],
      [own, "info", "aad", altered],
      [own, "info", "aad", sealed.slice(0, 100)],
    ] as const)
      await expect(open(by, info, utf8(aad), b)).rejects.toMatchObject({ failure: "altered" });
  });
});

test("another implementation of HPKE opens what is sealed here, and the reverse", async () => {
  const suite = new CipherSuite({ kem: new XWing(), kdf: new HkdfSha256(), aead: new Aes256Gcm() });
  const own = await decapsulatorOf(unhex(v.sealed.seed));
  const key = await suite.kem.importKey("raw", unhex(v.sealed.seed).buffer, false);
  const sealed = await seal(own.public, "info", utf8("aad"), utf8("plain"));
  const theirs = await suite.createRecipientContext({ recipientKey: key, enc: sealed.slice(0, 1120), info: utf8("info") });
  expect(text(new Uint8Array(await theirs.open(sealed.slice(1120), utf8("aad"))))).toBe("plain");
  const sender = await suite.createSenderContext({
    recipientPublicKey: await suite.kem.deserializePublicKey(own.public),
    info: utf8("info"),
  });
  const ct = new Uint8Array([...new Uint8Array(sender.enc), ...new Uint8Array(await sender.seal(utf8("back"), utf8("aad")))]) as Bytes;
  expect(text(await open(own, "info", utf8("aad"), ct))).toBe("back");
});

test("a secret derives what the vectors say, and is overwritten when it is taken over", async () => {
  const raw = unhex(v.derive.secret);
  const s = await secretOf(raw);
  expect(hex(await s.derive(v.derive.use, utf8(v.derive.context)))).toBe(v.derive.key);
  expect(hex(raw)).toBe("00".repeat(32));
});

test("24 words are the root, in any case and spacing", async () => {
  const k = vectors<{ words: string; chart: string; network: string; labs: string; labsOwner: string }>("keyring");
  const root = await rootOf(`  ${k.words.toUpperCase().replaceAll(" ", "\n ")} `);
  expect((await wordsOf(root)).join(" ")).toBe(k.words);
  const p = await patientOf(unhex(k.network, 32, "net:"), root);
  const labs = await p.section("labs");
  expect([p.chart, `log:${hex(labs.log)}`, `vk:${hex(labs.owner.public)}`]).toEqual([k.chart, k.labs, k.labsOwner]);
  const list = k.words.split(" ");
  for (const bad of [
    "",
    k.words.replace("title", "legal"),
    `${k.words} legal`,
    list.slice(1).join(" "),
    list.toReversed().join(" "),
    k.words.replace("legal", "legale"),
  ])
    await expect(rootOf(bad)).rejects.toMatchObject({ failure: "wrong-words", detail: expect.not.stringMatching(/legal|title/) });
});
