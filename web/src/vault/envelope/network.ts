/**
 * The network lock (spec/release.md, Arithmetic): the hashed Boneh-Franklin KEM over BLS12-381. Only who writes, or reads for another, needs it, so the curve is
 * loaded when somebody does.
 */

import { type Bytes, concat, utf8 } from "../bytes.ts";
import { hkdfExpand, hkdfExtract } from "../crypto/derive.ts";
import { fail } from "../failure.ts";

const tag = "VITALOG-V1-RELEASE-BLS12381G1_XMD:SHA-256_SSWU_RO_";

const load = async () => (await import("@noble/curves/bls12-381.js")).bls12_381;
type Curve = Awaited<ReturnType<typeof load>>;
type Fp12 = ReturnType<Curve["pairing"]>;

/** 576 bytes: at every level of the tower the highest coefficient first. noble's final exponent has the factor 3 of release.md. */
function fp12Bytes(curve: Curve, g: Fp12): Bytes {
  const fp2 = (x: { c0: bigint; c1: bigint }): Uint8Array[] => [curve.fields.Fp.toBytes(x.c1), curve.fields.Fp.toBytes(x.c0)];
  const fp6 = (x: Fp12["c0"]): Uint8Array[] => [...fp2(x.c2), ...fp2(x.c1), ...fp2(x.c0)];
  return concat(...fp6(g.c1), ...fp6(g.c0));
}

function derive(curve: Curve, g: Fp12, u: Bytes, id: Bytes): Bytes {
  return hkdfExpand(hkdfExtract(utf8("vitalog/v1/release/kem"), fp12Bytes(curve, g)), concat(u, id), 32);
}

/** A point of G2 as it came, in the group and not the identity. */
function point2(curve: Curve, b: Bytes) {
  try {
    const p = curve.G2.Point.fromBytes(b);
    p.assertValidity();
    if (p.is0()) throw new Error("identity");
    return p;
  } catch {
    return fail("altered", "no point of the network key");
  }
}

const hashTo1 = (curve: Curve, id: Bytes) => curve.G1.hashToCurve(id, { DST: tag });

/** A fresh secret under the network key for an identity, and U, from which k members' parts make it again. */
export async function encapsulate(networkKey: Bytes, id: Bytes): Promise<{ u: Bytes; secret: Bytes }> {
  const curve = await load();
  const key = point2(curve, networkKey);
  const t = curve.fields.Fr.fromBytes(curve.utils.randomSecretKey());
  const u = curve.G2.Point.BASE.multiply(t).toBytes(true) as Bytes;
  const g = curve.pairing(hashTo1(curve, id).multiply(t), key);
  return { u, secret: derive(curve, g, u, id) };
}

/** What a reader makes of the combined key of an identity, a point of G1. */
export async function decapsulate(combined: Bytes, u: Bytes, id: Bytes): Promise<Bytes> {
  const curve = await load();
  return derive(curve, curve.pairing(curve.G1.Point.fromBytes(combined), point2(curve, u)), u, id);
}

/** Combines the parts of holders with these share numbers, in their order. What depends on the holders alone is computed once. */
export async function quorum(shares: number[]): Promise<(parts: Bytes[]) => Bytes> {
  const { G1, fields } = await load();
  const { Fr } = fields;
  const xs = shares.map((x) => Fr.create(BigInt(x)));
  if (new Set(shares).size !== shares.length || shares.some((x) => x < 1)) return fail("internal", "share numbers that are none");
  const weights = xs.map((x, i) => xs.reduce((l, y, j) => (i === j ? l : Fr.mul(l, Fr.div(y, Fr.sub(y, x)))), Fr.ONE));
  return (parts) => {
    try {
      const sum = parts.reduce((p, b, i) => p.add(G1.Point.fromBytes(b).multiplyUnsafe(weights[i]!)), G1.Point.ZERO);
      sum.assertValidity();
      return sum.toBytes(true) as Bytes;
    } catch {
      return fail("altered", "parts of a key that are no points");
    }
  };
}

/** Whether a part is what the holder of share x makes for an identity, by the polynomial of the network key. */
export async function isPart(part: Bytes, x: number, id: Bytes, polynomial: Bytes[]): Promise<boolean> {
  const curve = await load();
  const { Fr } = curve.fields;
  const share = polynomial.reduceRight((p, c) => p.multiplyUnsafe(Fr.create(BigInt(x))).add(point2(curve, c)), curve.G2.Point.ZERO);
  try {
    const p = curve.G1.Point.fromBytes(part);
    p.assertValidity();
    return curve.fields.Fp12.eql(curve.pairing(p, curve.G2.Point.BASE), curve.pairing(hashTo1(curve, id), share));
  } catch {
    return false;
  }
}
