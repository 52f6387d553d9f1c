import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { addressOfModule } from "../../crypto/address.ts";
import { parseAit } from "./amount.ts";
import { formatPaymentUri } from "./payment-uri.ts";

const address = addressOfModule("x");

describe("a payment request", () => {
  it("is a URI that says address, amount and memo", () => {
    const text = fc
      .string({ unit: "grapheme-composite", maxLength: 20 })
      .filter((memo) => /^\P{C}+$/u.test(memo));
    fc.assert(
      fc.property(fc.bigInt({ min: 1n, max: 10n ** 17n }), text, (amountUait, memo) => {
        const uri = new URL(formatPaymentUri({ address, amountUait, memo }));
        expect([uri.protocol, uri.pathname]).toEqual(["aitbc:", address]);
        expect(parseAit(uri.searchParams.get("amount") ?? "")).toBe(amountUait);
        expect(uri.searchParams.get("memo")).toBe(memo);
      }),
    );
  });

  it("leaves out what is not said", () => {
    expect(formatPaymentUri({ address, amountUait: undefined, memo: undefined })).toBe(`aitbc:${address}`);
    expect(formatPaymentUri({ address, amountUait: 1_500_000n, memo: "" })).toBe(
      `aitbc:${address}?amount=1.5`,
    );
  });

  it("is refused for no address, no amount, and a memo of two lines", () => {
    const refused = expect.objectContaining({ code: "INVALID_ARGUMENT" });
    for (const wrong of [
      { address: "ait1x", amountUait: undefined, memo: undefined },
      { address, amountUait: 0n, memo: undefined },
      { address, amountUait: undefined, memo: "a\nb" },
      { address, amountUait: undefined, memo: "x".repeat(201) },
    ])
      expect(() => formatPaymentUri(wrong)).toThrow(refused);
  });
});
