import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BYTES_METER, meterOf, promptUnits, segmentUnits } from "./meter.ts";

describe("bytes/4", () => {
  it.each([
    [0, 0],
    [1, 1],
    [4, 1],
    [5, 2],
    [8, 2],
    [9, 3],
  ])("counts %i bytes as %i units", (bytes, units) => {
    expect(BYTES_METER.units(bytes)).toBe(units);
  });

  it.each([-1, 0.5, Number.NaN, 2 ** 53])("refuses %d bytes", (bytes) => {
    expect(() => BYTES_METER.units(bytes)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });

  it("is found by its name alone", () => {
    expect(meterOf("bytes/4")).toBe(BYTES_METER);
    expect(meterOf("tok:00")).toBeUndefined();
    expect(meterOf("constructor")).toBeUndefined();
  });
});

describe("segmentUnits", () => {
  it("adds up to the meter of the whole text, however it was cut", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(100)), (lengths) => {
        let at = 0;
        let units = 0;
        for (const length of lengths) {
          units += segmentUnits(BYTES_METER, at, at + length);
          at += length;
        }
        expect(units).toBe(BYTES_METER.units(at));
      }),
    );
  });

  it("is never negative", () => {
    expect(segmentUnits(BYTES_METER, 9, 1)).toBe(0);
  });
});

describe("promptUnits", () => {
  it("counts the bytes of all texts together", () => {
    expect(promptUnits(BYTES_METER, { prompt: "hé", system: "ab" })).toBe(2);
    expect(
      promptUnits(BYTES_METER, { messages: [{ content: "ab" }, { content: "c" }, { content: "de" }] }),
    ).toBe(2);
    expect(promptUnits(BYTES_METER, {})).toBe(0);
  });
});
