import { describe, expect, it } from "vitest";
import { readImageUrl } from "./images.ts";

const urlOf = (type: string, hex: string) =>
  `data:${type};base64,${Buffer.from(hex, "hex").toString("base64")}`;
const REST = "00112233";

describe("images in data: URLs", () => {
  it.each([
    ["image/png", `89504e470d0a1a0a${REST}`],
    ["image/jpeg", `ffd8ffe0${REST}`],
    ["image/gif", `474946383961${REST}`],
    ["image/webp", `524946462400000057454250${REST}`],
  ])("of %s are known by their first bytes", (type, hex) => {
    const image = readImageUrl(urlOf(type, hex), "/x");
    expect(image).toMatchObject({ mediaType: type, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) });
    expect(Buffer.from(image.bytes).toString("hex")).toBe(hex);
  });

  it("of image/jpg are JPEGs", () => {
    expect(readImageUrl(urlOf("image/jpg", `ffd8ff${REST}`), "/x").mediaType).toBe("image/jpeg");
  });

  it.each([
    ["data:image/png,plain", "must be data:"],
    ["data:image/png;base64,AA=A", "is no base64"],
    ["data:image/png;base64,A", "is no base64"],
    [urlOf("image/svg+xml", "3c737667"), "is no PNG"],
    [urlOf("image/png", `ffd8ff${REST}`), "says image/png and is image/jpeg"],
    [urlOf("image/webp", `${REST}`), "is no PNG"],
  ])("that are something else are refused: %s", (url, message) => {
    expect(() => readImageUrl(url, "/a/0")).toThrow(message);
  });
});
