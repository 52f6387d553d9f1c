/**
 * The validators of one height: a permissioned set with one vote each, in the order of their addresses, which
 * every node and every other language computes alike.
 */
import { addressOfKey } from "../../crypto/address.ts";
import { fromBase64Url, toBase64Url } from "../../crypto/bytes.ts";
import { canonicalizeSigned } from "../../crypto/canonical-json.ts";
import { isAcceptablePublicKey, PUBLIC_KEY_BYTES } from "../../crypto/ed25519.ts";
import { sha256Hex } from "../../crypto/hash.ts";
import { AppError } from "../../kernel/errors.ts";

/** Most validators of a chain: each vote goes to every node, and a certificate of all stays below 20 KB. */
export const MAX_VALIDATORS = 100;

/** A type alias, not an interface, so that it passes where any JSON object does. */
export type Validator = {
  /** Address of the key: the validator's identity. */
  readonly address: string;
  /** Ed25519, base64url. */
  readonly public_key: string;
};

export class ValidatorSet {
  /** By ascending address (ASCII order). */
  readonly validators: readonly Validator[];
  /** SHA-256 (hex) of the canonical `{"validators":[…]}`. */
  readonly hash: string;
  /** Votes that decide: ⌊2N/3⌋ + 1. Two quorums share an honest validator while fewer than a third are faulty. */
  readonly quorum: number;
  /** Faulty validators that are tolerated: ⌊(N − 1)/3⌋. Of one more, at least one is honest. */
  readonly faults: number;
  readonly #keys: readonly Uint8Array[];
  readonly #indexes: ReadonlyMap<string, number>;

  /**
   * A set of these keys (32 bytes each), in any order. Throws INVALID_ARGUMENT when there is none or more than
   * MAX_VALIDATORS, when one comes twice, or when one is no acceptable Ed25519 key.
   */
  constructor(publicKeys: readonly Uint8Array[]) {
    const count = publicKeys.length;
    if (count === 0 || count > MAX_VALIDATORS) refuse(`must be 1 to ${MAX_VALIDATORS}, are ${count}`);
    if (!publicKeys.every(isAcceptablePublicKey)) refuse("one is no acceptable Ed25519 key");
    const sorted = publicKeys
      .map((key) => ({ key, address: addressOfKey(key) }))
      .sort((a, b) => (a.address < b.address ? -1 : 1));
    this.validators = sorted.map(({ key, address }) => ({ address, public_key: toBase64Url(key) }));
    this.#keys = sorted.map(({ key }) => key);
    this.#indexes = new Map(sorted.map(({ address }, index) => [address, index]));
    if (this.#indexes.size !== count) refuse("one comes twice");
    this.hash = sha256Hex(canonicalizeSigned({ validators: this.validators }));
    this.quorum = Math.floor((2 * count) / 3) + 1;
    this.faults = Math.floor((count - 1) / 3);
  }

  get size(): number {
    return this.validators.length;
  }

  has(address: string): boolean {
    return this.#indexes.has(address);
  }

  /** Place of a validator in the order of addresses, or undefined for anybody else. */
  findIndex(address: string): number | undefined {
    return this.#indexes.get(address);
  }

  /** Public key (32 bytes) of a validator, or undefined for anybody else. */
  findKey(address: string): Uint8Array | undefined {
    return this.#keys[this.#indexes.get(address) ?? -1];
  }

  /** Address of the one validator that may propose in a round: index (height + round) mod N. */
  proposer(height: number, round: number): string {
    // Reduced before they are added: the sum of two safe integers may not be one.
    const index = ((height % this.size) + (round % this.size)) % this.size;
    const validator = this.validators[index];
    return validator ? validator.address : refuse(`height ${height}, round ${round}: must not be negative`);
  }
}

/** A set from keys as they stand in documents: base64url. Throws INVALID_ARGUMENT. */
export function validatorSetOf(publicKeys: readonly string[]): ValidatorSet {
  return new ValidatorSet(publicKeys.map((key) => fromBase64Url("public_key", key, PUBLIC_KEY_BYTES)));
}

function refuse(problem: string): never {
  throw new AppError("INVALID_ARGUMENT", `validators: ${problem}`, { meta: { argument: "validators" } });
}
