/**
 * Everything that a patient owns is derived from a root of 32 bytes (spec/keys.md, keyring.md): logs, owner and exchange keys, reader keys. The root
 * stays with the browser as a secret that only derives.
 */

import { type Bytes, hex, sha256, unhex } from "./bytes.ts";
import { aes } from "./crypto/aes.ts";
import { type Secret, secretOf } from "./crypto/derive.ts";
import { type Signer, signerOf } from "./crypto/ed25519.ts";
import { type Decapsulator, decapsulatorOf, type Kem } from "./crypto/xwing.ts";
import { type SectionName, sectionNumber } from "./names.ts";
import { sum, u32 } from "./wire.ts";

export const logId = (network: Bytes, first: Bytes, salt: Bytes): Bytes => sum("vitalog/v1/log", network, first, salt);

export const recordId = (network: Bytes, log: Bytes, writer: Bytes, salt: Bytes): Bytes =>
  sum("vitalog/v1/rid", network, log, writer, salt);

/** What the ledger holds of an exchange key. */
export const exchangeHash = sha256;

/** The keys of one log of the patient. */
export interface SectionKeys {
  section: SectionName;
  log: Bytes;
  salt: Bytes;
  owner: Signer;
  exchange: Decapsulator;
  /** The seed of an epoch's reader key, which a grant message hands over. The caller wipes it. */
  readerSeed(epoch: number): Promise<Bytes>;
  readerPublic(epoch: number): Promise<Bytes>;
}

/** Performs what a root can do. */
export interface Patient {
  network: Bytes;
  chart: string; // the logical id of the Patient resource
  /** For what this browser keeps for itself (spec/browser.md). */
  local: CryptoKey;
  section(s: SectionName): Promise<SectionKeys>;
  /** The keys that derive for a chart which is claimed from a custodian (spec/claim.md). */
  claiming(chart: string): Promise<Patient>;
  /** What the keys for an invitation derive from (spec/proxy.md). */
  invitation(id: Bytes): Promise<Secret>;
  /** Of who claimed a chart: the last epoch of the custody's reader keys, by section. */
  claimed: ReadonlyMap<SectionName, number> | null;
}

/** Takes over the root and overwrites it. `native: false` leaves the browser's key types out. */
export async function patientOf(network: Bytes, root: Bytes, native = true, kem?: Kem): Promise<Patient> {
  const secret = await secretOf(root);
  const sections = new Map<SectionName, Promise<SectionKeys>>();
  return {
    network,
    claimed: null,
    claiming: async (chart) =>
      patientOf(network, await secret.derive("vitalog/v1/root/claim", unhex(chart.replaceAll("-", ""), 16)), native, kem),
    invitation: async (id) => secretOf(await secret.derive("vitalog/v1/root/proxy", id)),
    local: await aes(await secret.derive("vitalog/v1/portal/local", new Uint8Array(0))),
    chart: uuid(await secret.derive("vitalog/v1/chart", new Uint8Array(0))),
    section: (s) => {
      const keys = sections.get(s) ?? sectionKeys(network, secret, s, native, kem);
      sections.set(s, keys);
      return keys;
    },
  };
}

async function sectionKeys(network: Bytes, root: Secret, section: SectionName, native: boolean, kem?: Kem): Promise<SectionKeys> {
  const of = (what: string): Promise<Bytes> => root.derive(`vitalog/v1/root/${what}`, new Uint8Array([sectionNumber(section)]));
  const [salt, owner, exchange, chain] = [
    await of("salt"),
    await signerOf(await of("owner"), native),
    await of("exchange"),
    await of("reader"),
  ];
  const readers = await secretOf(chain);
  const readerSeed = (epoch: number): Promise<Bytes> => readers.derive("vitalog/v1/reader", u32(epoch));
  return {
    section,
    log: logId(network, owner.public, salt),
    salt,
    owner,
    exchange: await decapsulatorOf(exchange, native, kem),
    readerSeed,
    readerPublic: async (epoch) => (await decapsulatorOf(await readerSeed(epoch), native)).public,
  };
}

/** The first 16 bytes as a UUID of version 8. */
function uuid(b: Bytes): string {
  const x = b.slice(0, 16);
  x[6] = (x[6]! & 0x0f) | 0x80;
  x[8] = (x[8]! & 0x3f) | 0x80;
  const h = hex(x);
  return [h.slice(0, 8), h.slice(8, 12), h.slice(12, 16), h.slice(16, 20), h.slice(20)].join("-");
}
