/** Test vectors of `src/crypto`: the content of protocols/vectors that needs no job. */

import { addressOfKey, addressOfModule, formatAddress } from "../../src/crypto/address.ts";
import { concatBytes, fromHex, toHex, utf8 } from "../../src/crypto/bytes.ts";
import { type Canonicalizable, canonicalize, canonicalizeSigned } from "../../src/crypto/canonical-json.ts";
import { sign } from "../../src/crypto/ed25519.ts";
import { sha256, sha256Hex } from "../../src/crypto/hash.ts";
import { merkleProof, merkleRoot } from "../../src/crypto/merkle.ts";
import { SMALL_ORDER_ENCODINGS } from "../../src/crypto/small-order.ts";
import {
  craftMixed,
  littleEndian,
  ORDER,
  readNumber,
  torsionPoints,
} from "../../test/harness/mixed-order.ts";
import { seededKey } from "../../test/harness/receipts.ts";

/** Documents in canonical form, and texts that are refused. */
export function canonicalJsonVectors(): Canonicalizable {
  const signed: readonly Canonicalizable[] = [
    { b: 2, a: "x", c: [true, false, { z: 0, y: -1 }] },
    { dropped: null, kept: { also_dropped: null } },
    { quote: '"', backslash: "\\", slash: "/", max: 9007199254740991, min: -9007199254740991 },
  ];
  const any: readonly Canonicalizable[] = [
    { "\u{1f600}": 1, "\ufb33": 2, é: [1e21, 1e-7, 4.5, -0], n: null },
    ["\u0000\b\t\n\f\r\u001f\u007f\u2028"],
  ];
  const entry = (value: Canonicalizable, canonical: string): Canonicalizable => ({
    text: JSON.stringify(value, null, 1),
    canonical,
    sha256: sha256Hex(canonical),
  });
  return {
    about: "text: as received. canonical: RFC 8785. signed documents leave out null members.",
    signed: signed.map((value) => entry(value, canonicalizeSigned(value))),
    any: any.map((value) => entry(value, canonicalize(value))),
    refused_as_signed: [
      '{"a":1.5}',
      '{"a":9007199254740992}',
      '{"a":[null]}',
      '{"a":"é"}',
      '{"a":"\\n"}',
      "null",
    ],
    refused_by_the_parser: [
      '{"a":1,"a":2}',
      '{"__proto__":1}',
      '["\\ud800"]',
      "[1e400]",
      `${"[".repeat(65)}${"]".repeat(65)}`,
    ],
  };
}

interface SignatureCase {
  readonly comment: string;
  readonly public_key: string;
  readonly message: string;
  readonly signature: string;
  readonly valid: boolean;
}

const signatureCase = (
  comment: string,
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
  valid: boolean,
): SignatureCase => ({
  comment,
  public_key: toHex(publicKey),
  message: toHex(message),
  signature: toHex(signature),
  valid,
});

/** Signatures that the one verification rule accepts and refuses. */
export function ed25519Vectors(): Canonicalizable {
  const key = seededKey("vectors");
  const message = utf8("aitbc");
  const signature = sign(message, key);
  const malleable = concatBytes(
    signature.subarray(0, 32),
    littleEndian(readNumber(signature.subarray(32)) + ORDER),
  );
  return {
    about:
      "All values hex. Rule: exact lengths; A and R none of small_order; encode([S]B - [k]A) = R, S < L.",
    small_order: SMALL_ORDER_ENCODINGS,
    cases: [
      signatureCase("honest", key.publicKey, message, signature, true),
      signatureCase("other message", key.publicKey, utf8("aitbd"), signature, false),
      signatureCase("S + L", key.publicKey, message, malleable, false),
      signatureCase("one byte short", key.publicKey, message, signature.subarray(0, 63), false),
      ...smallOrderCases(key.publicKey, message, signature),
      ...mixedOrderCases(),
    ].map((each) => ({ ...each })),
  };
}

function smallOrderCases(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): SignatureCase[] {
  return SMALL_ORDER_ENCODINGS.flatMap((hex) => {
    const point = fromHex("point", hex);
    const zero = concatBytes(point, new Uint8Array(32));
    const withR = concatBytes(point, signature.subarray(32));
    return [
      signatureCase("A and R of small order, S = 0", point, message, zero, false),
      signatureCase("R of small order", publicKey, message, withR, false),
    ];
  });
}

/** A and R of mixed order: every one satisfies the cofactored equation, one in eight the cofactorless one. */
function mixedOrderCases(): SignatureCase[] {
  const torsion = torsionPoints();
  return torsion.flatMap((torsionA, i) =>
    torsion.map((torsionR, j) => {
      const message = utf8(`mixed order ${i} ${j}`);
      const { publicKey, signature, cofactorless } = craftMixed(
        1000n + BigInt(i),
        2000n + BigInt(j),
        torsionA,
        torsionR,
        message,
      );
      return signatureCase(`A + T${i}, R + T${j}`, publicKey, message, signature, cofactorless);
    }),
  );
}

/** Addresses of each type, and texts that are none. */
export function addressVectors(): Canonicalizable {
  const keys = ["miner", "coordinator", "vectors"].map((name) => seededKey(name).publicKey);
  const address = addressOfKey(keys[0] ?? new Uint8Array(32));
  return {
    about:
      "bech32 (BIP-173), prefix ait, over a type byte and a hash. key: first 20 bytes of SHA-256(public key).",
    keys: keys.map((key) => ({ public_key: toHex(key), address: addressOfKey(key) })),
    multisig: [{ hash: sha256Hex("signers"), address: formatAddress("multisig", sha256("signers")) }],
    modules: ["treasury"].map((name) => ({ name, address: addressOfModule(name) })),
    refused: [
      address.toUpperCase(),
      `${address.slice(0, -1)}${address.endsWith("q") ? "p" : "q"}`,
      "ait1",
      "",
    ],
  };
}

/** Roots and proofs of trees of several sizes. */
export function merkleVectors(): Canonicalizable {
  const sizes = [0, 1, 2, 3, 5, 8, 13];
  return {
    about:
      "RFC 6962 on SHA-256. Leaf i of each tree is the text `leaf i`. proofs[i]: siblings from the bottom up.",
    trees: sizes.map((size) => {
      const leaves = Array.from({ length: size }, (_, index) => utf8(`leaf ${index}`));
      return {
        size,
        root: toHex(merkleRoot(leaves)),
        proofs: leaves.map((_, index) => merkleProof(leaves, index).map(toHex)),
      };
    }),
  };
}
