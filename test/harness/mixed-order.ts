/** Points with a small-order part, and signatures that only one of two common verification equations accepts. */
import { createHash } from "node:crypto";
import { ed25519 } from "@noble/curves/ed25519.js";
import { concatBytes, fromHex, toHex } from "../../src/crypto/bytes.ts";

const { Point } = ed25519;
export type CurvePoint = InstanceType<typeof Point>;
/** Order of the base point. */
export const ORDER = Point.Fn.ORDER;
/** The field's prime. */
export const PRIME = Point.CURVE().p;

export const sha512 = (bytes: Uint8Array): Uint8Array => createHash("sha512").update(bytes).digest();
export const littleEndian = (number: bigint): Uint8Array =>
  fromHex("number", number.toString(16).padStart(64, "0")).reverse();
export const readNumber = (bytes: Uint8Array): bigint => BigInt(`0x${toHex(bytes.slice().reverse())}`);

/** The eight points of small order: multiples of what the order leaves over of some point. */
export function torsionPoints(): CurvePoint[] {
  for (let y = 2n; ; y++) {
    const point = findPoint(littleEndian(y));
    if (!point) continue;
    // multiplyUnsafe refuses the order itself, so the last addition is made apart.
    const rest = point.multiplyUnsafe(ORDER - 1n).add(point);
    const multiples = [Point.ZERO];
    for (let i = 1; i < 8; i++) multiples.push((multiples.at(-1) ?? Point.ZERO).add(rest));
    if (new Set(multiples.map((each) => each.toHex())).size === 8) return multiples;
  }
}

function findPoint(bytes: Uint8Array): CurvePoint | undefined {
  try {
    return Point.fromBytes(bytes, true);
  } catch {
    return undefined;
  }
}

export interface MixedSignature {
  readonly publicKey: Uint8Array;
  readonly signature: Uint8Array;
  /** Whether the cofactorless equation holds; the cofactored one always does. */
  readonly cofactorless: boolean;
}

/** A signature under A = [a]B + torsionA with R = [r]B + torsionR, whose S fits the scalar parts. */
export function craftMixed(
  a: bigint,
  r: bigint,
  torsionA: CurvePoint,
  torsionR: CurvePoint,
  message: Uint8Array,
): MixedSignature {
  const publicKey = Point.BASE.multiply(a).add(torsionA).toBytes();
  const R = Point.BASE.multiply(r).add(torsionR).toBytes();
  const k = readNumber(sha512(concatBytes(R, publicKey, message))) % ORDER;
  const signature = concatBytes(R, littleEndian((r + k * a) % ORDER));
  // Without the cofactor it holds only where the small-order parts cancel: torsionR + [k]torsionA = 0.
  const left = torsionA.multiplyUnsafe(k % 8n || 8n).add(torsionR);
  return { publicKey, signature, cofactorless: left.equals(Point.ZERO) };
}
