import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatAit, parseAit } from "./amount.ts";

describe("amounts", () => {
  it("are read as they were written, exactly", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 10n ** 18n - 1n }), (uait) => {
        expect(parseAit(formatAit(uait).replace(" AIT", ""))).toBe(uait);
      }),
    );
    expect([parseAit("1.5"), parseAit("0.000001"), parseAit("007")]).toEqual([1_500_000n, 1n, 7_000_000n]);
  });

  it.each(["", "-1", "1.", ".5", "1.0000001", "1e3", "1,5", " 1", "1 AIT", "0x1", "1".repeat(13)])(
    "are refused in another form: %j",
    (text) => {
      expect(() => parseAit(text)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
    },
  );
});
