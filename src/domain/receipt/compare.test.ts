import { describe, expect, it } from "vitest";
import { COORDINATOR_KEY, MINER_KEY, OUTPUT, outcomeOf, TERMS } from "../../../test/harness/receipts.ts";
import { buildReceipt } from "./build.ts";
import { COMPLETED_AT_TOLERANCE_SECONDS, compareReceipt, DURATION_TOLERANCE_MS } from "./compare.ts";
import type { Receipt } from "./fields.ts";
import { attestReceipt, signReceipt } from "./sign.ts";

const expected = buildReceipt(TERMS, outcomeOf(TERMS, OUTPUT.length));

describe("compareReceipt", () => {
  it("finds no difference but in signatures", () => {
    expect(
      compareReceipt(expected, attestReceipt(signReceipt(expected, MINER_KEY), COORDINATOR_KEY)),
    ).toEqual([]);
  });

  it("names every member that differs, wherever it stands", () => {
    const paths = Object.entries(expected).flatMap(([name, value]) =>
      typeof value === "object" ? Object.keys(value).map((inner) => [name, inner]) : [[name]],
    );
    for (const [name = "", inner] of paths) {
      const copy = structuredClone(expected) as unknown as Record<string, Record<string, unknown> & unknown>;
      if (inner === undefined) copy[name] = "changed" as never;
      else if (copy[name]) copy[name][inner] = "changed";
      // Deliberately of the wrong type: the comparison must not depend on it.
      expect(compareReceipt(expected, copy as unknown as Receipt)).toEqual([
        `/${[name, inner].filter(Boolean).join("/")}`,
      ]);
    }
  });

  it("names missing and extra members", () => {
    const { model: _model, ...rest } = expected;
    const received = {
      ...rest,
      metadata: { ...expected.metadata, bonus: { units: 1 } },
    } as unknown as Receipt;
    expect(compareReceipt(expected, received)).toEqual(["/metadata/bonus", "/model"]);
  });

  it("allows the clocks their tolerance and no more", () => {
    const shifted = (seconds: number, ms: number): string[] =>
      compareReceipt(expected, {
        ...expected,
        completed_at: expected.completed_at + seconds,
        duration_ms: expected.duration_ms + ms,
      });
    expect(shifted(COMPLETED_AT_TOLERANCE_SECONDS, DURATION_TOLERANCE_MS)).toEqual([]);
    expect(shifted(-COMPLETED_AT_TOLERANCE_SECONDS - 1, 0)).toEqual(["/completed_at"]);
    expect(shifted(0, DURATION_TOLERANCE_MS + 1)).toEqual(["/duration_ms"]);
  });
});
