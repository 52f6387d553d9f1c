import { describe, expect, it } from "vitest";
import { deriveNode, formatPath } from "./slip10.ts";

const seed = new Uint8Array(32).fill(1);
const refused = expect.objectContaining({ code: "INVALID_ARGUMENT" });

describe("derivation", () => {
  it("gives another key for each path", () => {
    const paths = [[], [0], [1], [0, 0], [0, 1], [0x7fff_ffff]];
    const keys = paths.map((path) => Buffer.from(deriveNode(seed, path).secretKey).toString("hex"));
    expect(new Set(keys).size).toBe(paths.length);
  });

  it("refuses indices that are hardened twice, and seeds that are too short or too long", () => {
    for (const index of [-1, 0x8000_0000, 0.5, Number.NaN]) {
      expect(() => deriveNode(seed, [index])).toThrow(refused);
    }
    for (const length of [0, 15, 65]) expect(() => deriveNode(new Uint8Array(length), [])).toThrow(refused);
  });

  it("leaves the seed alone", () => {
    deriveNode(seed, [44, 0]);
    expect(seed).toEqual(new Uint8Array(32).fill(1));
  });

  it("writes paths as people do", () => {
    expect([formatPath([]), formatPath([44, 1, 0])]).toEqual(["m", "m/44'/1'/0'"]);
  });
});
