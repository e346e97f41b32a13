/**
 * Ed25519 as spec/keys.md says: signatures verify by ZIP-215, the rule of the consensus engine; keys of small order are unsound. Signing keys are the
 * browser's, non-extractable, where it has Ed25519; else noble's.
 */

import { ed25519 } from "@noble/curves/ed25519.js";
import { type Bytes, concat, unhex, wipe } from "../bytes.ts";

export interface Signer {
  public: Bytes;
  /** Signs the message itself. */
  sign(message: Bytes): Promise<Bytes>;
}

/** PKCS #8 (RFC 8410) around a seed of Ed25519 or X25519. */
const pkcs8Head = { Ed25519: unhex("302e020100300506032b657004220420"), X25519: unhex("302e020100300506032b656e04220420") };

export async function importSeed(name: "Ed25519" | "X25519", seed: Bytes, uses: KeyUsage[]): Promise<CryptoKey | null> {
  const der = concat(pkcs8Head[name], seed);
  try {
    return await crypto.subtle.importKey("pkcs8", der, { name }, false, uses);
  } catch {
    return null; // a browser without the curve
  } finally {
    wipe(der);
  }
}

/** The key pair of a seed of 32 bytes, which is overwritten. `native: false` leaves the browser's out. */
export async function signerOf(seed: Bytes, native = true): Promise<Signer> {
  const publicKey = ed25519.getPublicKey(seed) as Bytes;
  const key = native ? await importSeed("Ed25519", seed, ["sign"]) : null;
  if (!key) {
    const own = seed.slice();
    wipe(seed);
    return { public: publicKey, sign: async (m) => ed25519.sign(m, own) as Bytes };
  }
  wipe(seed);
  return { public: publicKey, sign: async (m) => new Uint8Array(await crypto.subtle.sign("Ed25519", key, m)) };
}

/**
 * Whether `by` signed the message. What the browser accepts, by the equation without cofactor, ZIP-215 accepts too; what it refuses noble decides.
 */
export async function verify(by: Bytes, message: Bytes, signature: Bytes, native = true): Promise<boolean> {
  if (by.length !== 32 || signature.length !== 64) return false;
  if (native && belowOrder(signature)) {
    try {
      const key = await crypto.subtle.importKey("raw", by, "Ed25519", false, ["verify"]);
      if (await crypto.subtle.verify("Ed25519", key, signature, message)) return true;
    } catch {
      // noble decides
    }
  }
  try {
    return ed25519.verify(signature, message, by, { zip215: true });
  } catch {
    return false;
  }
}

const order = 2n ** 252n + 27742317777372353535851937790883648493n;

function belowOrder(signature: Bytes): boolean {
  let s = 0n;
  for (let i = 63; i >= 32; i--) s = (s << 8n) | BigInt(signature[i]!);
  return s < order;
}

/** False for what is no point, and for points of small order, for which anybody can sign. */
export function sound(key: Bytes): boolean {
  try {
    return !ed25519.Point.fromBytes(key, true).isSmallOrder();
  } catch {
    return false;
  }
}
