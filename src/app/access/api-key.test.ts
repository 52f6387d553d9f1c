import { describe, expect, it } from "vitest";
import { systemRandomBytes } from "../../kernel/ids.ts";
import { createApiKey, parseApiKey } from "./api-key.ts";

describe("API keys", () => {
  it("say their kind and id, and parse back", () => {
    const key = createApiKey("miner", systemRandomBytes);
    expect(key).toMatch(/^ait_miner_[0-9a-f]{16}_[0-9a-f]{72}$/);
    const parsed = parseApiKey(key);
    expect(parsed?.kind).toBe("miner");
    expect(key).toContain(parsed?.keyId ?? "?");
  });

  it("differ each time", () => {
    const keys = Array.from({ length: 100 }, () => createApiKey("client", systemRandomBytes));
    expect(new Set(keys).size).toBe(keys.length);
  });

  it("are refused when a single character is changed", () => {
    const key = createApiKey("client", systemRandomBytes);
    for (let at = 0; at < key.length; at++) {
      const other = key[at] === "0" ? "1" : "0";
      expect(parseApiKey(key.slice(0, at) + other + key.slice(at + 1))).toBeUndefined();
    }
  });

  it.each(["", "ait_client_", "ait_root_0000", `${"a".repeat(10_000)}`])(
    "are refused when malformed: %.20s",
    (text) => {
      expect(parseApiKey(text)).toBeUndefined();
    },
  );
});
