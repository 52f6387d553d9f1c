import { describe, expect, it } from "vitest";
import { readTinyTokenizer } from "../../../test/harness/tokenizer.ts";
import { BYTES_METER, promptUnits, segmentUnits } from "./meter.ts";
import { BYTES_ONLY, createMeters } from "./meters.ts";

const FILE = readTinyTokenizer();
const SHA256 = "ab".repeat(32);

function bench() {
  let loads = 0;
  const load = () => {
    loads++;
    return FILE;
  };
  const meters = createMeters([{ sha256: SHA256, model_sha256: FILE.model_sha256, load }]);
  return { meters, loads: () => loads };
}

describe("createMeters", () => {
  it("finds bytes/4 and each tokenizer by name, and nothing else", () => {
    const { meters } = bench();
    expect(meters.find("bytes/4")).toBe(BYTES_METER);
    expect(meters.find(`tok:${SHA256}`)?.name).toBe(`tok:${SHA256}`);
    for (const name of ["tok:00", SHA256, "constructor", ""]) expect(meters.find(name)).toBeUndefined();
    expect(BYTES_ONLY.find(`tok:${SHA256}`)).toBeUndefined();
  });

  it("meters the model of a tokenizer in its tokens, and every other one in bytes", () => {
    const { meters } = bench();
    expect(meters.forModel(`sha256:${FILE.model_sha256}`).name).toBe(`tok:${SHA256}`);
    for (const digest of ["", FILE.model_sha256, "sha256:00"]) {
      expect(meters.forModel(digest)).toBe(BYTES_METER);
    }
  });

  it("reads a tokenizer once, and not before something is counted", () => {
    const { meters, loads } = bench();
    const meter = meters.forModel(`sha256:${FILE.model_sha256}`);
    expect(loads()).toBe(0);
    expect(segmentUnits(meter, "", "Hello the end")).toBeGreaterThan(0);
    expect(promptUnits(meter, { prompt: "Hello" })).toBeGreaterThan(0);
    expect(loads()).toBe(1);
  });
});
