import { expect, test } from "vitest";
import { hex, unhex } from "./bytes.ts";
import { decapsulatorOf } from "./crypto/xwing.ts";
import { isOf, mailboxOf, numberOf, openKeys, pairingCode, parsePairing, sealKeys, transcriptOf } from "./grant/pairing.ts";
import { vectors } from "./testing/vectors.ts";

interface PairingVectors {
  network: string;
  member: number;
  nonce: string;
  seed: string; // of the new device's key pair
  hello: string;
  code: string;
  mailbox: string;
  transcript: string;
  number: string;
  root: string;
  sealed: string;
}

const v = vectors<PairingVectors>("pairing");
const network = unhex(v.network, 32, "net:");
const [nonce, hello] = [unhex(v.nonce, 16), unhex(v.hello, 32)];

test.each([true, false])("the vectors hold, with the platform's keys: %s", async (native) => {
  const key = await decapsulatorOf(unhex(v.seed, 32), native);
  expect(pairingCode(network, v.member, nonce, key.public)).toBe(v.code);
  expect(hex(mailboxOf(network, nonce))).toBe(v.mailbox);
  const transcript = transcriptOf(network, nonce, key.public, hello);
  expect([hex(transcript), numberOf(transcript)]).toEqual([v.transcript, v.number]);
  expect(hex(await openKeys(key, transcript, unhex(v.sealed)))).toBe(v.root);
});

test("a code is read as people type it, and is of one key alone", async () => {
  const key = (await decapsulatorOf(unhex(v.seed, 32))).public;
  const typed = ` ${v.code.toLowerCase().replaceAll("0", "o").match(/.{4}/g)!.join("-")}\n`;
  const code = parsePairing(typed);
  expect(code).toEqual(parsePairing(`VITALOG:PAIR?${v.code}`));
  expect([hex(code.nonce), code.member, code.network]).toEqual([v.nonce, v.member, network.slice(0, 3)]);
  expect(isOf(network, code, key)).toBe(true);
  for (const at of [0, 1183, 1215])
    expect(
      isOf(
        network,
        code,
        key.map((x, i) => (i === at ? x ^ 1 : x)),
      ),
    ).toBe(false);
  expect(isOf(network, { ...code, nonce: hello.slice(0, 16) }, key)).toBe(false);
  for (const bad of ["", v.code.slice(1), `${v.code}0`, `${v.code.slice(0, -1)}U`, `1${v.code.slice(1)}`, `vitalog:claim?${v.code}`])
    expect(() => parsePairing(bad), bad).toThrow(/^pair-code:/);
});

test("keys open with the key and the transcript for which they were sealed, and no other", async () => {
  const root = unhex(v.root, 32);
  const [mine, others] = [await decapsulatorOf(unhex(v.seed, 32)), await decapsulatorOf(unhex(v.root, 32))];
  const said = transcriptOf(network, nonce, mine.public, hello);
  const sealed = await sealKeys(mine.public, said, root);
  expect(await openKeys(mine, said, sealed)).toEqual(root);
  for (const other of [
    transcriptOf(network, nonce, mine.public, root),
    transcriptOf(network, hello.slice(0, 16), mine.public, hello),
    transcriptOf(network, nonce, others.public, hello),
  ])
    await expect(openKeys(mine, other, sealed)).rejects.toMatchObject({ failure: "altered" });
  await expect(openKeys(others, said, sealed)).rejects.toMatchObject({ failure: "altered" });
});
