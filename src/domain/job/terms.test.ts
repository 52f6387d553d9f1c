import { describe, expect, it } from "vitest";
import { sha256Hex } from "../../crypto/hash.ts";
import { requestHash } from "./request.ts";
import { type Terms, termsHash } from "./terms.ts";

const terms: Terms = {
  v: 1,
  job_id: "0199f3a2c4d17b0e8a52c1d07f3b6e94",
  token: 1,
  client: "client-1",
  coordinator_id: "coordinator-1",
  kind: "inference",
  model: "aitbc-tiny",
  request_sha256: requestHash({ type: "inference", prompt: "é" }),
  unit_type: "token_ops",
  meter: "bytes/4",
  prompt_units: 1,
  settled_units: 0,
  start_byte: 0,
  prefix_sha256: sha256Hex(""),
  price_uait_per_million_units: 1_000_000,
  max_output_bytes: 1024,
  started_at: 1_795_000_000,
  deadline_seconds: 600,
  progress_units: 64,
  progress_ms: 1000,
  settlement: "voucher",
  nonce: "b7f3d10b",
};

describe("termsHash", () => {
  it("does not depend on the order of members", () => {
    const reversed = Object.fromEntries(Object.entries(terms).reverse()) as unknown as Terms;
    expect(termsHash(reversed)).toBe(termsHash(terms));
  });

  it("changes with every member", () => {
    const hashes = Object.entries(terms).map(([name, value]) =>
      termsHash({ ...terms, [name]: typeof value === "number" ? value + 1 : `${value}x` }),
    );
    expect(new Set([...hashes, termsHash(terms)]).size).toBe(Object.keys(terms).length + 1);
  });

  it("refuses text that cannot be signed", () => {
    expect(() => termsHash({ ...terms, model: "modèle" })).toThrow(
      expect.objectContaining({ code: "INVALID_PAYLOAD", meta: { pointer: "/model" } }),
    );
  });
});

describe("requestHash", () => {
  it("hashes any text and any number", () => {
    expect(requestHash({ b: 0.5, a: "é" })).toBe(sha256Hex('{"a":"é","b":0.5}'));
  });
});
