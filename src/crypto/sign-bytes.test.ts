import { describe, expect, it } from "vitest";
import { fromUtf8, utf8 } from "./bytes.ts";
import { sha256 } from "./hash.ts";
import { realmOfCoordinator, signBytes } from "./sign-bytes.ts";

describe("signBytes", () => {
  const realm = new Uint8Array(32).fill(0x41);

  it("puts type and realm in front of the payload", () => {
    const text = fromUtf8("bytes", signBytes("progress", realm, '{"a":1}'));
    expect(text).toBe(`aitbc/progress/v1\0${"A".repeat(32)}{"a":1}`);
    expect(signBytes("progress", realm, utf8('{"a":1}'))).toEqual(signBytes("progress", realm, '{"a":1}'));
  });

  it("differs by type", () => {
    expect(signBytes("progress", realm, "x")).not.toEqual(signBytes("miner-session", realm, "x"));
  });

  it("refuses a realm of another length", () => {
    expect(() => signBytes("progress", new Uint8Array(31), "x")).toThrow("realm: must have 32 bytes");
  });
});

describe("realmOfCoordinator", () => {
  it("is the SHA-256 of the public key", () => {
    const publicKey = new Uint8Array(32).fill(3);
    expect(realmOfCoordinator(publicKey)).toEqual(sha256(publicKey));
  });
});
