import { describe, expect, it } from "vitest";
import { GenerationCache } from "./generation-cache.ts";

describe("GenerationCache", () => {
  it("stays bounded and keeps what is used", () => {
    const cache = new GenerationCache<number>(4);
    for (let index = 0; index < 100; index++) {
      cache.set(`key ${index}`, index);
      cache.set("kept", cache.get("kept") ?? -1);
    }
    const remembered = Array.from({ length: 100 }, (_, index) => cache.get(`key ${index}`)).filter(
      (value) => value !== undefined,
    );
    expect(remembered.length).toBeLessThanOrEqual(8);
    expect(cache.get("key 99")).toBe(99);
  });

  it("finds an entry of the old generation and makes it young", () => {
    const cache = new GenerationCache<number>(2);
    cache.set("a", 1);
    cache.set("b", 2);
    cache.set("c", 3);
    expect(cache.get("a")).toBe(1);
    cache.set("d", 4);
    expect(cache.get("a")).toBe(1);
    expect(cache.get("b")).toBeUndefined();
  });

  it("forgets everything when cleared", () => {
    const cache = new GenerationCache<number>(1);
    cache.set("a", 1);
    cache.set("b", 2);
    cache.clear();
    expect([cache.get("a"), cache.get("b")]).toEqual([undefined, undefined]);
  });
});
