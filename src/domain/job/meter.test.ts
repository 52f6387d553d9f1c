import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BYTES_METER, promptUnits, segmentUnits, type UnitCounter } from "./meter.ts";

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

  it("counts text that comes in parts by its bytes", () => {
    const counter = BYTES_METER.counter();
    expect(counter.units).toBe(0);
    counter.add("hé");
    expect(counter.units).toBe(1);
    counter.add("l");
    counter.add("o");
    expect(counter.units).toBe(2);
  });
});

const words = fc.array(fc.string({ unit: "grapheme", maxLength: 9 }), { maxLength: 40 });

describe("segmentUnits", () => {
  it("adds up to the meter of the whole text, however it was cut", () => {
    fc.assert(
      fc.property(words, (parts) => {
        let text = "";
        let units = 0;
        for (const part of parts) {
          units += segmentUnits(BYTES_METER, text, part);
          text += part;
        }
        expect(units).toBe(BYTES_METER.units(Buffer.byteLength(text)));
      }),
    );
  });

  it("is never negative", () => {
    const joining = { name: "words", counter: joiningCounter };
    expect(segmentUnits(joining, "ab", "c")).toBe(0);
    expect(segmentUnits(joining, "abc", "")).toBe(0);
  });
});

/** Counts characters, but three together as one. */
function joiningCounter(): UnitCounter {
  let length = 0;
  return {
    add(text) {
      length += text.length;
    },
    get units() {
      return Math.floor(length / 3) + (length % 3);
    },
  };
}

describe("promptUnits", () => {
  it("counts the bytes of all texts together", () => {
    expect(promptUnits(BYTES_METER, { prompt: "hé", system: "ab" })).toBe(2);
    expect(
      promptUnits(BYTES_METER, { messages: [{ content: "ab" }, { content: "c" }, { content: "de" }] }),
    ).toBe(2);
    expect(promptUnits(BYTES_METER, {})).toBe(0);
  });
});
