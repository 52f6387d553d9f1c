/**
 * The verification rule of `ed25519.ts` from the points of @noble/curves, for places without node:crypto.
 * noble's own `verify` is cofactored and accepts more, so the equation is computed here.
 */
import { ed25519 } from "@noble/curves/ed25519.js";
import { isAdmissible } from "./small-order.ts";

const { Point } = ed25519;
const POINT_BYTES = 32;

/** SHA-512 of some bytes: an argument, because each platform brings its own. */
export type Sha512 = (bytes: Uint8Array) => Uint8Array;

/** Reads a little-endian number (RFC 8032 §5.1.2). */
function readNumber(bytes: Uint8Array): bigint {
  return bytes.reduceRight((number, byte) => (number << 8n) | BigInt(byte), 0n);
}

/** Whether a signature over a message holds under a public key. False, and no error, for malformed input. */
export function verifyWithPoints(
  signature: Uint8Array,
  message: Uint8Array,
  publicKey: Uint8Array,
  sha512: Sha512,
): boolean {
  if (!isAdmissible(signature, publicKey)) return false;
  const order = Point.Fn.ORDER;
  const s = readNumber(signature.subarray(POINT_BYTES));
  if (s >= order) return false;
  const r = signature.subarray(0, POINT_BYTES);
  const k = readNumber(sha512(join(r, publicKey, message))) % order;
  // With `true` noble decodes as ZIP-215 says, ordinates ≥ p included, which is what node:crypto does.
  const a = findPoint(publicKey);
  if (!a) return false;
  const expected = Point.BASE.multiplyUnsafe(s).subtract(a.multiplyUnsafe(k)).toBytes();
  return expected.every((byte, index) => byte === r[index]);
}

/** The point that 32 bytes encode, or undefined where they encode none. */
function findPoint(bytes: Uint8Array): InstanceType<typeof Point> | undefined {
  try {
    return Point.fromBytes(bytes, true);
  } catch {
    return undefined;
  }
}

function join(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((bytes, part) => bytes + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
