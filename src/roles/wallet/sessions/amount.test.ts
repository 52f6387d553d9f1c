import { describe, expect, it } from "vitest";
import { amountOf } from "./amount.ts";

describe("what a document moves", () => {
  it("is the sum of its amounts, wherever they stand", () => {
    expect(amountOf({ memo: "hi", amounts: 5, amount_of_trees: 7 })).toBe(0n);
    expect(amountOf({ amount: 5 })).toBe(5n);
    expect(amountOf({ to: [{ amount_uait: "7" }, { deep: { amount: "8" } }], amount: 1 })).toBe(16n);
    expect(amountOf({ amount: "9999999999999999999", more: [{ amount: 1 }] })).toBe(
      10_000_000_000_000_000_000n,
    );
  });

  it.each([-1, "-1", 1.5, "1.5", "1e3", "", "00", null, true, {}, [1], "10000000000000000000"])(
    "is refused where an amount is %j",
    (amount) => {
      expect(() => amountOf({ nested: [{ amount }] })).toThrow(
        expect.objectContaining({ code: "INVALID_PAYLOAD" }),
      );
    },
  );
});
