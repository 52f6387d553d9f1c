import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fund, genesisOf, person, TestChain } from "../../../test/harness/ledger.ts";
import { addressOfMultisig } from "../../crypto/address.ts";
import { toBase64Url } from "../../crypto/bytes.ts";
import { type Canonicalizable, canonicalize } from "../../crypto/canonical-json.ts";
import { sign } from "../../crypto/ed25519.ts";
import { sha256Hex } from "../../crypto/hash.ts";
import { SMALL_ORDER_ENCODINGS } from "../../crypto/small-order.ts";
import { DEFAULT_PARAMS } from "./params.ts";
import {
  attachSignature,
  attachSignatures,
  buildTransaction,
  formatUnsigned,
  minimumFee,
  transactionSignBytes,
  verifyTransaction,
} from "./signing.ts";
import {
  MAX_TRANSACTION_BYTES,
  type Multisig,
  parseTransaction,
  parseTransactionContent,
} from "./transaction.ts";

const [validator, alice, bob, carol] = [person("validator"), person("alice"), person("bob"), person("carol")];
const { chain } = new TestChain(genesisOf([validator], []));
const test = new TestChain(genesisOf([validator], [fund(alice)]));
const transfer = test.sign(alice, "TRANSFER", { to: bob.address, amount: "5" });
type Json = Record<string, Canonicalizable>;
const json = (): Json => JSON.parse(transfer.text) as Json;
/** The text with members put in the place of others; undefined takes one out. */
const withMembers = (members: Json): string => canonicalize({ ...json(), ...members });

describe("a transaction's text", () => {
  it("is canonical JSON, names its sender by the key, and is named by what was signed", () => {
    const { signature, ...unsigned } = json();
    expect(transfer).toMatchObject({ sender: alice.address, nonce: 1, chainId: "aitbc-test" });
    expect(transfer.text).toBe(canonicalize(json()));
    expect(transfer.hash).toBe(sha256Hex(canonicalize(unsigned)));
    expect(signature).toHaveLength(86);
    expect(parseTransactionContent(canonicalize(unsigned))).toMatchObject({
      sender: alice.address,
      fee: transfer.fee,
    });
  });

  it("is signed under its own tag, for one chain alone", () => {
    const bytes = transactionSignBytes(transfer.unsigned, test.chain.realm);
    expect(Buffer.from(bytes).toString("latin1")).toBe(
      `aitbc/tx/v1\0${Buffer.from(test.chain.realm).toString("latin1")}${transfer.unsigned}`,
    );
    expect(verifyTransaction(transfer, test.chain.realm)).toBe(true);
    expect(verifyTransaction(transfer, chain.realm)).toBe(false);
  });

  it.each<readonly [what: string, text: string]>([
    ["a space more", transfer.text.replace(",", ", ")],
    ["members in another order", JSON.stringify(Object.fromEntries(Object.entries(json()).reverse()))],
    ["a member twice", transfer.text.replace('"v":1', '"v":1,"v":1')],
    ["a member that is null", transfer.text.replace('"v":1', '"v":1,"w":null')],
    ["another escape", transfer.text.replace("TRANSFER", "TRANSFE\\u0052")],
    ["a member more", withMembers({ memo: "hello" })],
    [
      "a member of the payload more",
      withMembers({ payload: { to: bob.address, amount: "5", memo: "hello" } }),
    ],
    ["no nonce", withMembers({ nonce: undefined })],
    ["nonce 0", withMembers({ nonce: 0 })],
    ["another version", withMembers({ v: 2 })],
    ["a type that nobody knows", withMembers({ type: "MINT" })],
    ["a type that every object has", withMembers({ type: "constructor" })],
    ["no chain", withMembers({ chain_id: "" })],
    ["a fee as a number", withMembers({ fee: 300 })],
    ["a fee with a leading zero", withMembers({ fee: "0300" })],
    ["a negative amount", withMembers({ payload: { to: bob.address, amount: "-5" } })],
    ["nothing as amount", withMembers({ payload: { to: bob.address, amount: "0" } })],
    ["an amount of 2^62", withMembers({ payload: { to: bob.address, amount: String(2n ** 62n) } })],
    ["an amount with a point", withMembers({ payload: { to: bob.address, amount: "0.5" } })],
    ["an address in capitals", withMembers({ payload: { to: bob.address.toUpperCase(), amount: "5" } })],
    ["no key", withMembers({ public_key: undefined })],
    [
      "a key of small order",
      withMembers({ public_key: toBase64Url(Buffer.from(SMALL_ORDER_ENCODINGS[4] ?? "", "hex")) }),
    ],
    ["no signature", withMembers({ signature: undefined })],
    ["signatures of a multisig account", withMembers({ signature: undefined, signatures: [] })],
    ["both kinds of signers", withMembers({ multisig: { threshold: 1, public_keys: [alice.publicKey] } })],
    ["too many bytes", withMembers({ payload: { to: "a".repeat(MAX_TRANSACTION_BYTES), amount: "5" } })],
    ["nothing", ""],
    ["a list", "[]"],
  ])("is refused with %s", (_what, text) => {
    expect(() => parseTransaction(text)).toThrow(
      expect.objectContaining({
        code: expect.stringMatching(/^(INVALID_PAYLOAD|MALFORMED_JSON|PAYLOAD_TOO_LARGE)$/),
      }),
    );
  });

  it("with any bit flipped is refused, or its signature does not hold", () => {
    const bytes = Buffer.from(transfer.text);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = Buffer.from(bytes);
      flipped[bit >>> 3] = (flipped[bit >>> 3] ?? 0) ^ (1 << (bit & 7));
      expect(isAccepted(flipped.toString("utf8"))).toBe(false);
    }
  });
});

/** Whether a text is a transaction whose signatures hold on the chain of this test. */
function isAccepted(text: string): boolean {
  try {
    return verifyTransaction(parseTransaction(text), test.chain.realm);
  } catch {
    return false;
  }
}

describe("the least fee", () => {
  it("is the one of the signed text, to the byte", () => {
    const anyFee = fc.record({
      base: fc.bigInt(0n, 2000n),
      perByte: fc.bigInt(0n, 500n),
      amount: fc.bigInt(1n, 2n ** 61n),
    });
    fc.assert(
      fc.property(anyFee, ({ base, perByte, amount }) => {
        const params = { base_fee_uait: base, fee_per_byte_uait: perByte };
        const request = {
          chainId: "aitbc-test",
          type: "TRANSFER" as const,
          payload: { to: bob.address, amount: String(amount) },
          nonce: 7,
          signer: { public_key: alice.publicKey },
        };
        const text = attachSignature(buildTransaction(request, params), new Uint8Array(64));
        const { fee } = parseTransaction(text);
        expect(fee).toBeGreaterThanOrEqual(minimumFee(params, text.length));
        // One more digit can cost more than the digit's own place: never more than one byte is paid too much.
        expect(fee).toBeLessThanOrEqual(minimumFee(params, text.length + 1));
      }),
    );
  });
});

describe("a multisig account", () => {
  const people = [alice, bob, carol].sort((a, b) => Buffer.compare(a.key.publicKey, b.key.publicKey));
  const multisig: Multisig = { threshold: 2, public_keys: people.map(({ publicKey }) => publicKey) };
  const address = addressOfMultisig({ threshold: 2, signers: people.map(({ key }) => key.publicKey) });
  const unsigned = {
    ...buildTransaction(
      {
        chainId: "aitbc-test",
        type: "TRANSFER",
        payload: { to: bob.address, amount: "5" },
        nonce: 1,
        signer: { multisig },
      },
      DEFAULT_PARAMS,
    ),
    multisig,
  };
  const signatureOf = (signer: number, who = people[signer]) => ({
    signer,
    signature: who
      ? sign(transactionSignBytes(formatUnsigned(unsigned), test.chain.realm), who.key)
      : new Uint8Array(64),
  });

  it("pays when as many of its keys have signed as it needs, whichever they are", () => {
    for (const signers of [
      [0, 1],
      [2, 0],
      [1, 2],
    ]) {
      const text = attachSignatures(
        unsigned,
        signers.map((signer) => signatureOf(signer)),
      );
      const transaction = parseTransaction(text);
      expect(transaction.sender).toBe(address);
      expect(verifyTransaction(transaction, test.chain.realm)).toBe(true);
      const own = new TestChain(genesisOf([validator], [{ address, balance: 1000n, stake: 0n }]));
      expect(own.run([transaction])).toEqual(["OK"]);
      expect(own.balance(address)).toBe(1000n - 5n - transaction.fee);
    }
  });

  it("has one hash, whoever of its keys has signed", () => {
    const hashes = [
      [0, 1],
      [1, 2],
    ].map((signers) => {
      return parseTransaction(
        attachSignatures(
          unsigned,
          signers.map((signer) => signatureOf(signer)),
        ),
      ).hash;
    });
    expect(hashes[0]).toBe(hashes[1]);
  });

  it("does not pay with a signature of somebody else", () => {
    const forged = attachSignatures(unsigned, [signatureOf(0), signatureOf(1, validator)]);
    expect(isAccepted(forged)).toBe(false);
  });

  it.each<readonly [what: string, text: () => string]>([
    ["too few signatures", () => attachSignatures(unsigned, [signatureOf(0)])],
    [
      "too many",
      () =>
        attachSignatures(
          unsigned,
          [0, 1, 2].map((signer) => signatureOf(signer)),
        ),
    ],
    ["one key twice", () => attachSignatures(unsigned, [signatureOf(1), signatureOf(1)])],
    ["a key that is none of its own", () => attachSignatures(unsigned, [signatureOf(0), signatureOf(3)])],
    [
      "keys in another order",
      () =>
        attachSignatures(
          { ...unsigned, multisig: { ...multisig, public_keys: multisig.public_keys.toReversed() } },
          [signatureOf(0), signatureOf(1)],
        ),
    ],
    [
      "the same key twice among its keys",
      () =>
        attachSignatures(
          { ...unsigned, multisig: { threshold: 1, public_keys: [alice.publicKey, alice.publicKey] } },
          [signatureOf(0)],
        ),
    ],
    [
      "a threshold above the number of keys",
      () =>
        attachSignatures({ ...unsigned, multisig: { ...multisig, threshold: 4 } }, [
          signatureOf(0),
          signatureOf(1),
        ]),
    ],
    [
      "a threshold of 0",
      () => attachSignatures({ ...unsigned, multisig: { ...multisig, threshold: 0 } }, []),
    ],
  ])("is refused with %s", (_what, text) => {
    expect(() => parseTransaction(text())).toThrow(expect.objectContaining({ code: "INVALID_PAYLOAD" }));
  });

  it("is another one with another threshold: a signer cannot lower it", () => {
    const lowered = { ...unsigned, multisig: { ...multisig, threshold: 1 } };
    const bytes = transactionSignBytes(formatUnsigned(lowered), test.chain.realm);
    const text = attachSignatures(lowered, [{ signer: 0, signature: sign(bytes, (people[0] ?? alice).key) }]);
    expect(isAccepted(text)).toBe(true);
    expect(parseTransaction(text).sender).not.toBe(address);
  });
});
