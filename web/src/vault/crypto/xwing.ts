/**
 * X-Wing (draft-connolly-cfrg-xwing-kem): ML-KEM-768 and X25519 in one key encapsulation. The browser's implementations serve where it has them, with
 * keys that can't be extracted; noble's, loaded when they are needed, elsewhere.
 */

import { sha3_256, shake256 } from "@noble/hashes/sha3.js";
import { type Bytes, concat, equal, random, utf8, wipe } from "../bytes.ts";
import { fail } from "../failure.ts";
import { importSeed } from "./ed25519.ts";

export const publicSize = 1216;
export const encapsSize = 1120;
const mlPublic = 1184;
const mlCipher = 1088;

const label = utf8("\\.//^\\");

/** What WebCrypto's "modern algorithms" add, which the types of TypeScript don't have yet. */
interface Modern {
  importKey(format: string, data: Bytes, name: string, extractable: boolean, uses: string[]): Promise<CryptoKey>;
  exportKey(format: string, key: CryptoKey): Promise<ArrayBuffer>;
  getPublicKey(key: CryptoKey, uses: string[]): Promise<CryptoKey>;
  decapsulateBits(name: string, key: CryptoKey, ciphertext: Bytes): Promise<ArrayBuffer>;
  encapsulateBits(name: string, key: CryptoKey): Promise<{ sharedKey: ArrayBuffer; ciphertext: ArrayBuffer }>;
}

const modern = crypto.subtle as unknown as Modern;
const mlKem = "ML-KEM-768";
const noble = async () => (await import("@noble/post-quantum/ml-kem.js")).ml_kem768;

/** The shared secret of an ML-KEM-768 ciphertext, by the decapsulation key, where the browser has no ML-KEM. */
export type Kem = (q: { key: Bytes; cipher: Bytes }) => Promise<Bytes>;
export const nobleKem: Kem = async ({ key, cipher }) => new Uint8Array((await noble()).decapsulate(cipher, key));
const curve = async () => (await import("@noble/curves/ed25519.js")).x25519;

/** Half of a key: the browser's own, or the bytes of a decapsulation key of ML-KEM or a scalar of X25519. */
type Half = CryptoKey | Bytes;

/** A key pair as another worker gets it. */
export interface Pair {
  public: Bytes;
  ml: Half;
  x: Half;
  /** The key before this one, to which older messages are sealed. */
  before?: Pair;
}

export interface Decapsulator extends Pair {
  /** The shared secret of an encapsulated key. */
  decapsulate(encapsulated: Bytes): Promise<Bytes>;
  before?: Decapsulator;
}

/** The key pair of a seed of 32 bytes, which is overwritten. `native: false` leaves the browser's implementations out. */
export async function decapsulatorOf(seed: Bytes, native = true, kem = nobleKem): Promise<Decapsulator> {
  const expanded = shake256(seed, { dkLen: 96 }) as Bytes;
  wipe(seed);
  const ml = await mlHalf(expanded.slice(0, 64), native);
  const x = await xHalf(expanded.slice(64), native);
  wipe(expanded);
  return decapsulatorBy({ public: concat(ml.public, x.public), ml: ml.half, x: x.half }, kem);
}

export function decapsulatorBy({ before, ...pair }: Pair, kem = nobleKem): Decapsulator {
  const xPublic = pair.public.slice(mlPublic);
  const decapsulate = async (encapsulated: Bytes): Promise<Bytes> => {
    const cx = encapsulated.slice(mlCipher);
    return combine(await mlOpen(pair.ml, encapsulated.slice(0, mlCipher), kem), await xOpen(pair.x, cx), cx, xPublic);
  };
  return { ...pair, decapsulate, ...(before && { before: decapsulatorBy(before, kem) }) };
}

/** Without what it does, which another worker does anew. */
export const pairOf = ({ public: p, ml, x, before }: Pair): Pair => ({ public: p, ml, x, ...(before && { before: pairOf(before) }) });

/** A fresh secret and what only the holder of the key makes it from. */
export async function encapsulate(to: Bytes, native = true): Promise<{ secret: Bytes; encapsulated: Bytes }> {
  if (to.length !== publicSize) return fail("invalid", `an exchange key of ${to.length} bytes, want ${publicSize}`);
  const [mlTo, xTo] = [to.slice(0, mlPublic), to.slice(mlPublic)];
  const ml = await mlEncapsulate(mlTo, native);
  const once = await xHalf(random(32), native);
  return { secret: combine(ml.secret, await xOpen(once.half, xTo), once.public, xTo), encapsulated: concat(ml.cipher, once.public) };
}

function combine(ml: Bytes, x: Bytes, cx: Bytes, xPublic: Bytes): Bytes {
  const input = concat(ml, x, cx, xPublic, label);
  wipe(ml, x);
  const out = sha3_256(input) as Bytes;
  wipe(input);
  return out;
}

const mlOpen = async (half: Half, cipher: Bytes, kem: Kem): Promise<Bytes> =>
  half instanceof CryptoKey ? new Uint8Array(await modern.decapsulateBits(mlKem, half, cipher)) : kem({ key: half, cipher });

async function mlHalf(seed: Bytes, native: boolean): Promise<{ public: Bytes; half: Half }> {
  if (native) {
    try {
      const own = await nativeHalf(seed);
      wipe(seed);
      return own;
    } catch {
      // a browser without ML-KEM
    }
  }
  const pair = (await noble()).keygen(seed);
  wipe(seed);
  return { public: new Uint8Array(pair.publicKey), half: new Uint8Array(pair.secretKey) };
}

/** The browser's ML-KEM, if it opens what it made itself. */
async function nativeHalf(seed: Bytes): Promise<{ public: Bytes; half: Half }> {
  const half = await modern.importKey("raw-seed", seed, mlKem, false, ["decapsulateBits"]);
  const shown = await modern.getPublicKey(half, ["encapsulateBits"]);
  const own = new Uint8Array(await modern.exportKey("raw-public", shown));
  const { sharedKey, ciphertext } = await modern.encapsulateBits(mlKem, shown);
  const again = await mlOpen(half, new Uint8Array(ciphertext), nobleKem);
  if (own.length !== mlPublic || !equal(again, new Uint8Array(sharedKey))) throw new TypeError("another ML-KEM");
  return { public: own, half };
}

async function mlEncapsulate(to: Bytes, native: boolean): Promise<{ secret: Bytes; cipher: Bytes }> {
  if (native) {
    try {
      const key = await modern.importKey("raw-public", to, mlKem, false, ["encapsulateBits"]);
      const { sharedKey, ciphertext } = await modern.encapsulateBits(mlKem, key);
      return { secret: new Uint8Array(sharedKey), cipher: new Uint8Array(ciphertext) };
    } catch {
      // a browser without ML-KEM, or no key: noble tells
    }
  }
  try {
    const { sharedSecret, cipherText } = (await noble()).encapsulate(to);
    return { secret: new Uint8Array(sharedSecret), cipher: new Uint8Array(cipherText) };
  } catch {
    return fail("invalid", "no exchange key");
  }
}

/** The point that public keys are multiples of. */
const base = new Uint8Array(32).fill(9, 0, 1);

/** Takes over the seed and overwrites it, where the browser has the curve. */
async function xHalf(seed: Bytes, native: boolean): Promise<{ public: Bytes; half: Half }> {
  const key = native ? await importSeed("X25519", seed, ["deriveBits"]) : null;
  if (!key) return { public: (await curve()).getPublicKey(seed) as Bytes, half: seed };
  wipe(seed);
  return { public: await xOpen(key, base), half: key };
}

async function xOpen(half: Half, point: Bytes): Promise<Bytes> {
  if (!(half instanceof CryptoKey)) return (await curve()).getSharedSecret(half, point) as Bytes;
  const other = await crypto.subtle.importKey("raw", point, "X25519", false, []);
  return new Uint8Array(await crypto.subtle.deriveBits({ name: "X25519", public: other }, half, 256));
}
