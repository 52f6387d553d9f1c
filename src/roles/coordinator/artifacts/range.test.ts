import { describe, expect, it } from "vitest";
import { parseRange } from "./range.ts";

const SIZE = 100;

describe("a Range header", () => {
  it.each([
    ["bytes=0-0", 0, 1],
    ["bytes=10-19", 10, 20],
    ["bytes=90-", 90, 100],
    ["bytes=90-999", 90, 100],
    ["bytes=-1", 99, 100],
    ["bytes=-999", 0, 100],
  ])("%s names bytes", (header, start, end) => {
    expect(parseRange(header, SIZE)).toEqual({ start, end });
  });

  it.each([undefined, "", "bytes=-", "bytes=5-4", "bytes=0-1,5-6", "lines=1-2", "bytes=a-b"])(
    "%s is answered with everything",
    (header) => {
      expect(parseRange(header, SIZE)).toBeUndefined();
    },
  );

  it.each(["bytes=100-", "bytes=100-200", "bytes=-0"])("%s lies outside", (header) => {
    expect(() => parseRange(header, SIZE)).toThrow("100 bytes");
  });
});
