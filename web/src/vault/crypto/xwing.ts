/**
 * X-Wing (draft-connolly-cfrg-xwing-kem): ML-KEM-768 and X25519 in one key encapsulation. The browser's implementations serve where it has them, with
 * keys that can't be extracted; noble's, loaded when they are needed, elsewhere.
 */

import { sha3_256, shake256 } from "@noble/hashes/sha3.js";
import { type Bytes, concat, equal, random, utf8, wipe } from "../bytes.ts";
import { fail } from "../failure.ts";
import { importSeed } from "./ed25519.ts";
import type { Kem } from "./kem.ts";

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
const kem = "ML-KEM-768";
const noble = async () => (await import("@noble/post-quantum/ml-kem.js")).ml_kem768;

/** ML-KEM in this worker itself. */
export const alone: Kem = async (key, cipher) => new Uint8Array((await noble()).decapsulate(cipher, key));
const curve = async () => (await import("@noble/curves/ed25519.js")).x25519;

interface Half {
  public: Bytes;
  open(cipher: Bytes): Promise<Bytes>;
}

export interface Decapsulator {
  public: Bytes;
  /** The shared secret of an encapsulated key. */
  decapsulate(encapsulated: Bytes): Promise<Bytes>;
}

/** The key pair of a seed of 32 bytes, which is overwritten. `native: false` leaves the browser's implementations out. */
export async function decapsulatorOf(seed: Bytes, native = true, kem: Kem = alone): Promise<Decapsulator> {
  const expanded = shake256(seed, { dkLen: 96 }) as Bytes;
  wipe(seed);
  const ml = await mlHalf(expanded.slice(0, 64), native, kem);
  const x = await xHalf(expanded.slice(64), native);
  wipe(expanded);
  return {
    public: concat(ml.public, x.public),
    decapsulate: async (encapsulated) => {
      const cx = encapsulated.slice(mlCipher);
      return combine(await ml.open(encapsulated.slice(0, mlCipher)), await x.open(cx), cx, x.public);
    },
  };
}

/** A fresh secret and what only the holder of the key makes it from. */
export async function encapsulate(to: Bytes, native = true): Promise<{ secret: Bytes; encapsulated: Bytes }> {
  if (to.length !== publicSize) return fail("invalid", `an exchange key of ${to.length} bytes, want ${publicSize}`);
  const [mlTo, xTo] = [to.slice(0, mlPublic), to.slice(mlPublic)];
  const ml = await mlEncapsulate(mlTo, native);
  const once = await xHalf(random(32), native);
  return { secret: combine(ml.secret, await once.open(xTo), once.public, xTo), encapsulated: concat(ml.cipher, once.public) };
}

function combine(ml: Bytes, x: Bytes, cx: Bytes, xPublic: Bytes): Bytes {
  const input = concat(ml, x, cx, xPublic, label);
  wipe(ml, x);
  const out = sha3_256(input) as Bytes;
  wipe(input);
  return out;
}

async function mlHalf(seed: Bytes, native: boolean, kem: Kem): Promise<Half> {
  if (native) {
    try {
      const half = await nativeHalf(seed);
      wipe(seed);
      return half;
    } catch {
      // a browser without ML-KEM
    }
  }
  const ml = await noble();
  const pair = ml.keygen(seed);
  wipe(seed);
  return { public: new Uint8Array(pair.publicKey), open: (c) => kem(new Uint8Array(pair.secretKey), c) };
}

/** The browser's ML-KEM, if it opens what it made itself. */
async function nativeHalf(seed: Bytes): Promise<Half> {
  const key = await modern.importKey("raw-seed", seed, kem, false, ["decapsulateBits"]);
  const shown = await modern.getPublicKey(key, ["encapsulateBits"]);
  const open = async (c: Bytes): Promise<Bytes> => new Uint8Array(await modern.decapsulateBits(kem, key, c));
  const half = { public: new Uint8Array(await modern.exportKey("raw-public", shown)), open };
  const { sharedKey, ciphertext } = await modern.encapsulateBits(kem, shown);
  const again = await open(new Uint8Array(ciphertext));
  if (half.public.length !== mlPublic || !equal(again, new Uint8Array(sharedKey))) throw new TypeError("another ML-KEM");
  return half;
}

async function mlEncapsulate(to: Bytes, native: boolean): Promise<{ secret: Bytes; cipher: Bytes }> {
  if (native) {
    try {
      const key = await modern.importKey("raw-public", to, kem, false, ["encapsulateBits"]);
      const { sharedKey, ciphertext } = await modern.encapsulateBits(kem, key);
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
async function xHalf(seed: Bytes, native: boolean): Promise<Half> {
  const key = native ? await importSeed("X25519", seed, ["deriveBits"]) : null;
  if (!key) {
    const x25519 = await curve();
    return { public: x25519.getPublicKey(seed) as Bytes, open: async (c) => x25519.getSharedSecret(seed, c) as Bytes };
  }
  wipe(seed);
  const open = async (c: Bytes): Promise<Bytes> => {
    const other = await crypto.subtle.importKey("raw", c, "X25519", false, []);
    return new Uint8Array(await crypto.subtle.deriveBits({ name: "X25519", public: other }, key, 256));
  };
  return { public: await open(base), open };
}
