import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { toHex } from "../../crypto/bytes.ts";
import { EXIT } from "../../kernel/errors.ts";
import type { Io } from "../io.ts";
import { parsePin, type VerifyOptions, verifyReceiptFile } from "./verify.ts";

const SAMPLES = resolve(import.meta.dirname, "../../../protocols/receipts/samples");
const sample = readFileSync(resolve(SAMPLES, "completed.json"), "utf8");
const parsed = JSON.parse(sample);
const pins = { coordinatorKey: [parsed.attestations[0].key_id], minerKey: [parsed.signature.key_id] };

async function verify(text: string, options: VerifyOptions = {}) {
  let stdout = "";
  const stdin = (async function* () {
    yield new TextEncoder().encode(text);
  })();
  const write = (part: string): boolean => {
    stdout += part;
    return true;
  };
  const io = { env: {}, cwd: SAMPLES, stdin, stdout: { write, once() {} } };
  // The command uses these parts of the process and no other.
  const code = await verifyReceiptFile(io as unknown as Io, "-", options);
  return { code, stdout };
}

describe("receipt verify", () => {
  it("without named keys the signers are unknown, and it says what to do", async () => {
    const { code, stdout } = await verify(sample);
    expect(code).toBe(EXIT.signerUnknown);
    expect(stdout).toContain("SIGNER UNKNOWN");
    expect(stdout).toContain("--coordinator-key KEY --miner-key KEY");
  });

  it("with the named keys it is verified", async () => {
    const { code, stdout } = await verify(sample, pins);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^✓ proven +form /);
    expect(stdout.trimEnd()).toMatch(/VERIFIED: nothing failed, .*$/);
  });

  it("a changed receipt is invalid", async () => {
    const { code, stdout } = await verify(JSON.stringify({ ...parsed, units: parsed.units + 1 }), pins);
    expect(code).toBe(EXIT.receiptInvalid);
    expect(stdout).toContain("✗ FAILED      miner_signature");
  });

  it("prints JSON with every line", async () => {
    const { stdout } = await verify(sample, { ...pins, output: "json" });
    expect(JSON.parse(stdout)).toMatchObject({ verdict: "verified", lines: expect.arrayContaining([]) });
  });

  it("reads pins as receipts write them and as hex, and refuses anything else", () => {
    const key = parsed.signature.key_id;
    expect(parsePin("--miner-key", key)).toBe(key);
    expect(parsePin("--miner-key", toHex(Buffer.from(key, "base64url")))).toBe(key);
    expect(() => parsePin("--miner-key", "abc")).toThrow("--miner-key abc is not a public key");
  });
});
