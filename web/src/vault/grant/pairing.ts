/** How a device of the patient gets the keys from another one (spec/pairing.md): the code, the number that both show, and the sealed root. */

import { type Bytes, equal, wipe } from "../bytes.ts";
import type { Decapsulator } from "../crypto/xwing.ts";
import { fail } from "../failure.ts";
import { reader, sum, writer } from "../wire.ts";
import { check, readCode, writeCode } from "./base32.ts";
import { openMessage, readVersion, sealMessage, writeVersion } from "./sealed.ts";

export interface PairingCode {
  network: Bytes; // the first three bytes of its id
  member: number; // the home member of the new device
  nonce: Bytes;
  key: Bytes; // what the new device's public key hashes to
}

export const link = "vitalog:pair?";
const domain = "vitalog/v1/pairing";

export const helloSize = 32;

const keyHash = (network: Bytes, nonce: Bytes, key: Bytes): Bytes => sum("vitalog/v1/pairing/key", network, nonce, key).slice(0, 16);
export const mailboxOf = (network: Bytes, nonce: Bytes): Bytes => sum("vitalog/v1/pairing/mailbox", network, nonce);

/** The 64 characters of a new device's code. */
export const pairingCode = (network: Bytes, member: number, nonce: Bytes, key: Bytes): string =>
  writeCode(
    writer()
      .u8(1)
      .fixed(network.slice(0, 3))
      .u16(member)
      .fixed(nonce)
      .fixed(keyHash(network, nonce, key))
      .done(),
    domain,
  );

export function parsePairing(typed: string): PairingCode {
  const b = readCode(typed, link, "pair-code");
  check(b, domain, "pair-code");
  const r = reader(b, "pairing code");
  if (r.u8() !== 1) return fail("pair-code", "a code of another version");
  return { network: r.fixed(3), member: r.u16(), nonce: r.fixed(16), key: r.fixed(16) };
}

/** Whether a public key is the one whose hash is in the code. */
export const isOf = (network: Bytes, code: PairingCode, key: Bytes): boolean => equal(keyHash(network, code.nonce, key), code.key);

export const transcriptOf = (network: Bytes, nonce: Bytes, key: Bytes, hello: Bytes): Bytes =>
  sum("vitalog/v1/pairing/transcript", network, nonce, key, hello);

/** Eight digits. */
export function numberOf(transcript: Bytes): string {
  const n = sum("vitalog/v1/pairing/number", transcript)
    .slice(0, 6)
    .reduce((a, x) => a * 256 + x, 0);
  return String(n % 1e8).padStart(8, "0");
}

/** Seals a root, which is not changed, to a new device. */
export async function sealKeys(to: Bytes, transcript: Bytes, root: Bytes): Promise<Bytes> {
  const plain = writeVersion().fixed(root).done();
  const sealed = await sealMessage(to, domain, transcript, plain);
  wipe(plain);
  return sealed;
}

export async function openKeys(by: Decapsulator, transcript: Bytes, sealed: Bytes): Promise<Bytes> {
  const plain = await openMessage(by, domain, transcript, sealed);
  const r = reader(plain, "keys");
  readVersion(r);
  const root = r.fixed(32);
  r.end();
  wipe(plain);
  return root;
}
