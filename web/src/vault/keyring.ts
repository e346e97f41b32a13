/**
 * The root as this browser keeps it: sealed under a random key, which each way to unlock wraps for itself. A passphrase is stretched by Argon2id; a passkey
 * gives 32 bytes by WebAuthn's PRF.
 *
 *     root     AES-256-GCM under data key          aad "vitalog/v1/portal/root" ‖ network
 *     way      AES-256-GCM of the data key under   Argon2id(passphrase, salt) or Derive(PRF output, "vitalog/v1/portal/passkey", id)
 */

import { type Bytes, concat, random, utf8, wipe } from "./bytes.ts";
import { aes, openWith, type Sealed, sealWith } from "./crypto/aes.ts";
import { secretOf } from "./crypto/derive.ts";
import { fail } from "./failure.ts";

export interface PassphraseWay {
  salt: Bytes;
  passes: number;
  memory: number; // KiB
  lanes: number;
  wrapped: Sealed;
}

export interface PasskeyWay {
  id: string; // base64url of the credential's id
  name: string;
  salt: string; // hex, input of PRF
  wrapped: Sealed;
}

/** What lies in the browser. */
export interface Ring {
  version: 1;
  network: Bytes;
  root: Sealed;
  passphrase: PassphraseWay;
  passkeys: PasskeyWay[];
}

/** Less memory than a member's keyring: scripts stretch more slowly, and phones have less of it. */
const cost = { passes: 2, memory: 46 << 10, lanes: 1 };
const most = { passes: 16, memory: 1 << 20 };
export const leastPassphrase = 12; // characters

const aadOf = (use: string, network: Bytes): Bytes => concat(utf8(`vitalog/v1/portal/${use}`), network);

async function stretch(passphrase: string, w: Pick<PassphraseWay, "salt" | "passes" | "memory" | "lanes">): Promise<CryptoKey> {
  if (w.passes > most.passes || w.memory > most.memory) return fail("damaged", "a keyring that costs too much to open");
  const { argon2id } = await import("@noble/hashes/argon2.js");
  const secret = utf8(passphrase.normalize("NFC"));
  const raw = argon2id(secret, w.salt, { t: w.passes, m: w.memory, p: w.lanes, dkLen: 32 });
  wipe(secret);
  return aes(new Uint8Array(raw));
}

async function passkeyKey(prf: Bytes, id: string): Promise<CryptoKey> {
  if (prf.length !== 32) return fail("wrong-passkey", "the passkey gave no 32 bytes");
  return aes(await (await secretOf(prf)).derive("vitalog/v1/portal/passkey", utf8(id)));
}

async function passphraseWay(passphrase: string, network: Bytes, data: Bytes): Promise<PassphraseWay> {
  if ([...passphrase].length < leastPassphrase) return fail("weak-passphrase", `fewer than ${leastPassphrase} characters`);
  const w = { salt: random(16), ...cost };
  return { ...w, wrapped: await sealWith(await stretch(passphrase, w), aadOf("passphrase", network), data) };
}

/** Seals a root, which is not changed. */
export async function makeRing(network: Bytes, root: Bytes, passphrase: string): Promise<Ring> {
  const data = random(32);
  const way = await passphraseWay(passphrase, network, data);
  return { version: 1, network, root: await sealWith(await aes(data), aadOf("root", network), root), passphrase: way, passkeys: [] };
}

async function dataByPassphrase(r: Ring, passphrase: string): Promise<Bytes> {
  const data = await openWith(await stretch(passphrase, r.passphrase), aadOf("passphrase", r.network), r.passphrase.wrapped);
  return data ?? fail("wrong-passphrase", "the passphrase does not open the keys of this browser");
}

async function rootOf(r: Ring, data: Bytes): Promise<Bytes> {
  const root = await openWith(await aes(data), aadOf("root", r.network), r.root);
  return root?.length === 32 ? root : fail("damaged", "the keys of this browser are damaged");
}

export const openByPassphrase = async (r: Ring, passphrase: string): Promise<Bytes> => rootOf(r, await dataByPassphrase(r, passphrase));

export async function openByPasskey(r: Ring, id: string, prf: Bytes): Promise<Bytes> {
  const way = r.passkeys.find((k) => k.id === id) ?? fail("wrong-passkey", "this passkey is not one of this browser's");
  const data = await openWith(await passkeyKey(prf, id), aadOf("passkey", r.network), way.wrapped);
  return rootOf(r, data ?? fail("wrong-passkey", "the passkey does not open the keys of this browser"));
}

/** The same root, sealed anew under a new data key: ways that were removed open nothing of it. The passphrase is the only way then. */
export const changePassphrase = async (r: Ring, old: string, next: string): Promise<Ring> => {
  const root = await openByPassphrase(r, old);
  const fresh = await makeRing(r.network, root, next);
  wipe(root);
  return fresh;
};

/** Adds a passkey, by the passphrase. */
export async function addPasskey(r: Ring, passphrase: string, k: Omit<PasskeyWay, "wrapped">, prf: Bytes): Promise<Ring> {
  const data = await dataByPassphrase(r, passphrase);
  const wrapped = await sealWith(await passkeyKey(prf, k.id), aadOf("passkey", r.network), data);
  wipe(data);
  return { ...r, passkeys: [...r.passkeys.filter((x) => x.id !== k.id), { ...k, wrapped }] };
}
