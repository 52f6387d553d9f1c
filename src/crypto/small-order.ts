/**
 * The 14 encodings of the eight points of small order on edwards25519, as little-endian hex: five canonical
 * ordinates, each with both sign bits where decoders take them, and the ordinates ≥ p that decoders reduce.
 * Under such a public key one signature fits every message. A test derives the list from the curve.
 */
export const SMALL_ORDER_ENCODINGS: readonly string[] = [
  // y = 0: order 4; the same plus p
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0000000000000000000000000000000000000000000000000000000000000080",
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
  // y = 1: the neutral point; the same plus p
  "0100000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000080",
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
  // y = −1: order 2
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
  // the two ordinates of order 8
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
];

const POINT_BYTES = 32;
const SIGNATURE_BYTES = 64;
/** The last byte without its sign bit takes these values only: one look at it rejects nearly every other point. */
const LAST_BYTES = new Set(SMALL_ORDER_ENCODINGS.map((hex) => Number.parseInt(hex.slice(-2), 16) & 0x7f));
const ENCODINGS: readonly Uint8Array[] = SMALL_ORDER_ENCODINGS.map((hex) =>
  Uint8Array.from({ length: POINT_BYTES }, (_, index) =>
    Number.parseInt(hex.slice(index * 2, index * 2 + 2), 16),
  ),
);

/** Whether the 32 bytes at `offset` encode a point of small order. */
export function isSmallOrder(bytes: Uint8Array, offset = 0): boolean {
  const last = bytes[offset + POINT_BYTES - 1] ?? 0;
  if (!LAST_BYTES.has(last & 0x7f)) return false;
  return ENCODINGS.some((encoding) => encoding.every((byte, index) => byte === bytes[offset + index]));
}

/**
 * The first part of the verification rule, before the equation: exact lengths, and neither the public key nor
 * R, the first half of the signature, of small order. Not left to node:crypto, whose releases differ in it.
 */
export function isAdmissible(signature: Uint8Array, publicKey: Uint8Array): boolean {
  return (
    signature.length === SIGNATURE_BYTES &&
    publicKey.length === POINT_BYTES &&
    !isSmallOrder(publicKey) &&
    !isSmallOrder(signature)
  );
}
