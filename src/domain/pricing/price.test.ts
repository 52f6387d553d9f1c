import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { segmentPrice, totalPrice } from "./price.ts";

const amount = fc.bigInt({ min: 0n, max: 2n ** 62n });

describe("totalPrice", () => {
  it.each([
    [0n, 5n, 0n],
    [1n, 1n, 1n],
    [1_000_000n, 7n, 7n],
    [1_000_001n, 7n, 8n],
    [3n, 2_000_000n, 6n],
    [9n, 0n, 0n],
  ])("of %s units at %s is %s", (units, price, total) => {
    expect(totalPrice(units, price)).toBe(total);
  });

  it("refuses what is negative", () => {
    expect(() => totalPrice(-1n, 1n)).toThrow("units: must not be negative");
    expect(() => totalPrice(1n, -1n)).toThrow("priceUaitPerMillionUnits: must not be negative");
    expect(() => segmentPrice(5n, -1n, 1n)).toThrow("units: must not be negative");
  });
});

describe("segmentPrice", () => {
  it("adds up to the price of the whole job, and is never negative", () => {
    fc.assert(
      fc.property(fc.array(amount, { maxLength: 8 }), amount, (segments, price) => {
        let settled = 0n;
        let paid = 0n;
        for (const units of segments) {
          const part = segmentPrice(settled, units, price);
          expect(part >= 0n).toBe(true);
          paid += part;
          settled += units;
        }
        expect(paid).toBe(totalPrice(settled, price));
      }),
    );
  });
});
