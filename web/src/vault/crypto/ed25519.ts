/**
 * Ed25519 as spec/keys.md says: signatures verify by ZIP-215, the rule of the consensus engine; keys of small order are unsound. Signing keys are the
 * browser's, non-extractable, where it has Ed25519; else noble's, which is loaded when it is needed.
 */

import { type Bytes, concat, hex, unbase64url, unhex, wipe } from "../bytes.ts";

export interface Signer {
  public: Bytes;
  /** Signs the message itself. */
  sign(message: Bytes): Promise<Bytes>;
}

const noble = async () => (await import("@noble/curves/ed25519.js")).ed25519;

/** PKCS #8 (RFC 8410) around a seed of Ed25519 or X25519. */
const pkcs8Head = { Ed25519: unhex("302e020100300506032b657004220420"), X25519: unhex("302e020100300506032b656e04220420") };

export async function importSeed(
  name: "Ed25519" | "X25519",
  seed: Bytes,
  uses: KeyUsage[],
  extractable = false,
): Promise<CryptoKey | null> {
  const der = concat(pkcs8Head[name], seed);
  try {
    return await crypto.subtle.importKey("pkcs8", der, { name }, extractable, uses);
  } catch {
    return null; // a browser without the curve
  } finally {
    wipe(der);
  }
}

/** Browsers tell the public key by an export alone: of another key from the same seed, which is not kept. */
async function publicOf(seed: Bytes): Promise<Bytes | null> {
  const key = await importSeed("Ed25519", seed, ["sign"], true);
  const { x } = key ? await crypto.subtle.exportKey("jwk", key) : {};
  return x === undefined ? null : unbase64url(x);
}

/** The key pair of a seed of 32 bytes, which is overwritten. `native: false` leaves the browser's out. */
export async function signerOf(seed: Bytes, native = true): Promise<Signer> {
  const own = seed.slice();
  wipe(seed);
  const shown = native ? await publicOf(own) : null;
  const key = shown && (await importSeed("Ed25519", own, ["sign"]));
  if (!key) {
    const ed25519 = await noble();
    return { public: ed25519.getPublicKey(own) as Bytes, sign: async (m) => ed25519.sign(m, own) as Bytes };
  }
  wipe(own);
  return { public: shown, sign: async (m) => new Uint8Array(await crypto.subtle.sign("Ed25519", key, m)) };
}

/**
 * Whether `by` signed the message. What the browser accepts, by the equation without cofactor, ZIP-215 accepts too; what it refuses noble decides.
 */
export async function verify(by: Bytes, message: Bytes, signature: Bytes, native = true): Promise<boolean> {
  if (by.length !== 32 || signature.length !== 64) return false;
  if (native && belowOrder(signature)) {
    try {
      if (await crypto.subtle.verify("Ed25519", await imported(by), signature, message)) return true;
    } catch {
      // noble decides
    }
  }
  try {
    return (await noble()).verify(signature, message, by, { zip215: true });
  } catch {
    return false;
  }
}

/** Few people sign most of a chart. */
const verifiers = new Map<string, CryptoKey>();
const mostVerifiers = 64;

async function imported(by: Bytes): Promise<CryptoKey> {
  const name = hex(by);
  const key = verifiers.get(name) ?? (await crypto.subtle.importKey("raw", by, "Ed25519", false, ["verify"]));
  if (verifiers.size >= mostVerifiers) verifiers.clear();
  verifiers.set(name, key);
  return key;
}

const order = 2n ** 252n + 27742317777372353535851937790883648493n;

function belowOrder(signature: Bytes): boolean {
  if (signature[63]! < 16) return true; // less than 2^252
  let s = 0n;
  for (let i = 63; i >= 32; i--) s = (s << 8n) | BigInt(signature[i]!);
  return s < order;
}

/** The field and the curve, and the y of points of order 8: those of order 1, 2 and 4 have 1, -1 and 0. */
const p = 2n ** 255n - 19n;
const d = 37095705934669439343138083508754565189542113879843219016388785533085940283555n;
const y8 = 2707385501144840649318225287225658788936804267575313519463743609750303402022n;

/** False for what is no point, and for points of small order, for which anybody can sign. By ZIP-215 y may be p or more, and is taken modulo p. */
export function sound(key: Bytes): boolean {
  if (key.length !== 32) return false;
  let y = 0n;
  for (let i = 31; i >= 0; i--) y = (y << 8n) | BigInt(i === 31 ? key[i]! & 127 : key[i]!);
  y %= p;
  if ([0n, 1n, p - 1n, y8, p - y8].includes(y)) return false;
  return power((y * y - 1n) * (d * y * y + 1n), (p - 1n) / 2n) === 1n; // x² = (y² - 1) / (dy² + 1) has a root
}

function power(base: bigint, exponent: bigint): bigint {
  let out = 1n;
  for (let x = base % p, e = exponent; e > 0n; e >>= 1n, x = (x * x) % p) if (e & 1n) out = (out * x) % p;
  return out;
}
