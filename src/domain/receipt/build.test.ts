import { describe, expect, it } from "vitest";
import { OUTPUT, outcomeOf, progressAt, TERMS } from "../../../test/harness/receipts.ts";
import { BYTES_METER } from "../job/meter.ts";
import { termsHash } from "../job/terms.ts";
import { totalPrice } from "../pricing/price.ts";
import { buildReceipt, chargeSegment, leavesReceipt } from "./build.ts";

const end = OUTPUT.length;
const outputUnits = Math.ceil(end / 4);

describe("buildReceipt", () => {
  it("takes everything from the terms and the outcome", () => {
    const outcome = outcomeOf(TERMS, end);
    expect(buildReceipt(TERMS, outcome)).toEqual({
      version: "1.1",
      receipt_id: `rcpt-${TERMS.job_id}-1`,
      job_id: TERMS.job_id,
      provider: outcome.provider,
      client: TERMS.client,
      units: outputUnits + TERMS.prompt_units,
      unit_type: "token_ops",
      price: Number(totalPrice(BigInt(outputUnits + TERMS.prompt_units), 2_500_000n)),
      model: TERMS.model,
      prompt_hash: `sha256:${TERMS.request_sha256}`,
      started_at: TERMS.started_at,
      completed_at: outcome.completed_at,
      duration_ms: outcome.duration_ms,
      artifact_hash: `sha256:${outcome.segment_sha256}`,
      coordinator_id: TERMS.coordinator_id,
      nonce: TERMS.nonce,
      metadata: {
        token: 1,
        start_byte: 0,
        end_byte: end,
        meter: "bytes/4",
        terms_hash: termsHash(TERMS),
        output_sha256: outcome.output_sha256,
        outcome: "completed",
        prompt_units: TERMS.prompt_units,
        settlement: "voucher",
      },
    });
  });

  it("carries progress and payout where they are given", () => {
    const progress = progressAt(TERMS, 16);
    const receipt = buildReceipt(TERMS, outcomeOf(TERMS, end, { progress, payout: TERMS.coordinator_id }));
    expect(receipt.metadata).toMatchObject({ progress, payout: TERMS.coordinator_id });
  });

  it("refuses a price that is not exact as a number", () => {
    const terms = { ...TERMS, price_uait_per_million_units: Number.MAX_SAFE_INTEGER, settled_units: 1 };
    expect(() => buildReceipt({ ...terms, prompt_units: 2_000_000 }, outcomeOf(TERMS, end))).toThrow(
      expect.objectContaining({ code: "INVALID_PAYLOAD", meta: { pointer: "/price" } }),
    );
  });

  it("refuses units that are no count, and a range that runs backwards", () => {
    for (const delivered_units of [-1, 0.5, 2 ** 53]) {
      expect(() => buildReceipt(TERMS, outcomeOf(TERMS, end, { delivered_units }))).toThrow("units");
    }
    expect(() => buildReceipt({ ...TERMS, start_byte: 9 }, outcomeOf(TERMS, 8))).toThrow("end_byte");
  });
});

describe("chargeSegment", () => {
  it("charges the request to the segment that ends the job, once anything was delivered", () => {
    const charged = (settled: number, delivered: number, endsJob: boolean): number =>
      chargeSegment({ ...TERMS, settled_units: settled }, delivered, endsJob).promptUnits;
    expect(charged(0, 2, true)).toBe(TERMS.prompt_units);
    expect(charged(0, 2, false)).toBe(0);
    expect(charged(0, 0, true)).toBe(0);
    expect(charged(2, 0, true)).toBe(TERMS.prompt_units);
  });

  it("gives segments that add up to the price of the undivided job", () => {
    const units = BYTES_METER.units(end);
    const first = chargeSegment(TERMS, 3, false);
    const rest = { ...TERMS, token: 2, settled_units: first.units };
    const second = chargeSegment(rest, units - 3, true);
    const whole = chargeSegment(TERMS, units, true);
    expect(first.units + second.units).toBe(whole.units);
    expect(first.price + second.price).toBe(whole.price);
    // The example must round: priced alone, the two would cost more than the whole.
    const alone = chargeSegment({ ...rest, settled_units: 0 }, units - 3, true);
    expect(first.price + alone.price).toBe(whole.price + 1n);
  });
});

describe("leavesReceipt", () => {
  it("is false only for nothing delivered by a segment that did not complete the job", () => {
    expect(leavesReceipt(0, "completed")).toBe(true);
    expect(leavesReceipt(1, "lease_lost")).toBe(true);
    expect(leavesReceipt(0, "lease_lost")).toBe(false);
    expect(leavesReceipt(0, "failed")).toBe(false);
  });
});
