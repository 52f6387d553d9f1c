import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { keyOf } from "../../../test/harness/validators.ts";
import { fromHex } from "../../crypto/bytes.ts";
import { SMALL_ORDER_ENCODINGS } from "../../crypto/small-order.ts";
import { MAX_VALIDATORS, ValidatorSet, validatorSetOf } from "./validator-set.ts";

const keysOf = (count: number): Uint8Array[] =>
  Array.from({ length: count }, (_, number) => keyOf(number).publicKey);
const setOf = (count: number): ValidatorSet => new ValidatorSet(keysOf(count));

describe("a validator set", () => {
  it.each([
    [1, 1, 0],
    [2, 2, 0],
    [3, 3, 0],
    [4, 3, 1],
    [5, 4, 1],
    [6, 5, 1],
    [7, 5, 2],
    [10, 7, 3],
    [100, 67, 33],
  ])("of %i decides with %i votes and tolerates %i faults", (count, quorum, faults) => {
    expect(setOf(count)).toMatchObject({ size: count, quorum, faults });
  });

  it("has two quorums share more validators than may be faulty, and a quorum without the faulty ones", () => {
    for (let count = 1; count <= MAX_VALIDATORS; count++) {
      const { quorum, faults } = setOf(count);
      expect(2 * quorum - count).toBeGreaterThan(faults);
      expect(count - faults).toBeGreaterThanOrEqual(quorum);
    }
  });

  it("is the same in any order of its keys, and another with other keys", () => {
    const keys = keysOf(5);
    const { hash, validators } = new ValidatorSet(keys);
    expect(new ValidatorSet(keys.toReversed()).hash).toBe(hash);
    expect(validatorSetOf(validators.map(({ public_key }) => public_key)).hash).toBe(hash);
    expect(setOf(4).hash).not.toBe(hash);
    const addresses = validators.map(({ address }) => address);
    expect(addresses).toEqual(addresses.toSorted());
  });

  it("lets everybody propose in turn, at any height and round", () => {
    const set = setOf(4);
    const index = (height: number, round: number): number | undefined =>
      set.findIndex(set.proposer(height, round));
    expect([0, 1, 2, 3, 4].map((round) => index(1, round))).toEqual([1, 2, 3, 0, 1]);
    const whole = fc.maxSafeNat();
    fc.assert(
      fc.property(whole, whole, (height, round) => {
        expect(index(height, round)).toBe(Number((BigInt(height) + BigInt(round)) % 4n));
      }),
    );
  });

  it("refuses none, too many, the same twice, and keys under which any signature holds", () => {
    const smallOrder = fromHex("key", SMALL_ORDER_ENCODINGS[0] ?? "");
    for (const keys of [[], keysOf(MAX_VALIDATORS + 1), [...keysOf(2), ...keysOf(1)], [smallOrder]]) {
      expect(() => new ValidatorSet(keys)).toThrow(/^validators: /);
    }
  });
});
