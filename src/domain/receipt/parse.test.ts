import { describe, expect, it } from "vitest";
import { COORDINATOR_KEY, MINER_KEY, OUTPUT, outcomeOf, TERMS } from "../../../test/harness/receipts.ts";
import { buildReceipt } from "./build.ts";
import { parseReceipt, receiptFromJson } from "./parse.ts";
import { attestReceipt, canonicalReceipt, signReceipt } from "./sign.ts";

const receipt = attestReceipt(
  signReceipt(buildReceipt(TERMS, outcomeOf(TERMS, OUTPUT.length)), MINER_KEY),
  COORDINATOR_KEY,
);
const text = JSON.stringify(receipt);
const refused = (pointer: string) =>
  expect.objectContaining({ code: "INVALID_RECEIPT", meta: expect.objectContaining({ pointer }) });

/** The receipt's text with members changed; undefined removes one. */
const changed = (members: Record<string, unknown>): string => JSON.stringify({ ...receipt, ...members });

describe("parseReceipt", () => {
  it("reads a receipt however it is indented and ordered", () => {
    const reversed = Object.fromEntries(Object.entries(receipt).reverse());
    const parsed = parseReceipt(JSON.stringify(reversed, null, "\t"));
    expect(parsed.receipt).toEqual(receipt);
    expect(parsed.bytes).toEqual(canonicalReceipt(receipt));
    expect(parsed.signature).toEqual(receipt.signature);
    expect(parsed.attestations).toEqual(receipt.attestations);
  });

  it("takes null members as absent", () => {
    const parsed = parseReceipt(changed({ signature: null, attestations: null, chain_id: null }));
    expect(parsed.bytes).toEqual(canonicalReceipt(receipt));
    expect([parsed.signature, parsed.attestations]).toEqual([undefined, []]);
  });

  it("covers members that it does not know", () => {
    expect(parseReceipt(changed({ tip: 1 })).bytes).not.toEqual(canonicalReceipt(receipt));
  });

  it.each<[string, string]>([
    ["", "[]"],
    ["", "{"],
    ["/units", `${text.slice(0, -1)},"units":1}`],
    ["/version", changed({ version: "2.0" })],
    ["/version", changed({ version: undefined })],
    ["/units", changed({ units: 1.5 })],
    ["/units", changed({ units: -1 })],
    ["/price", changed({ price: 2 ** 53 })],
    ["/client", changed({ client: "ait_client_abcdef_secret" })],
    ["/provider", changed({ provider: "ait_miner_abcdef_secret" })],
    ["/model", changed({ model: "modèle" })],
    ["/prompt_hash", changed({ prompt_hash: "sha256:00" })],
    ["/metadata/outcome", changed({ metadata: { ...receipt.metadata, outcome: "lost" } })],
    ["/metadata/token", changed({ metadata: { ...receipt.metadata, token: 0 } })],
    ["/metadata/note", changed({ metadata: { ...receipt.metadata, note: 0.5 } })],
    ["/metadata", changed({ metadata: "x" })],
    ["/signature/sig", changed({ signature: { ...receipt.signature, sig: "AA" } })],
    ["/attestations/0/alg", changed({ attestations: [{ ...receipt.signature, alg: "none" }] })],
    ["/attestations", changed({ attestations: Array(17).fill(receipt.signature) })],
  ])("refuses what stands at %j", (pointer, other) => {
    expect(() => parseReceipt(other)).toThrow(refused(pointer));
  });

  it("refuses what is far too large for a receipt", () => {
    expect(() => parseReceipt(changed({ note: "x".repeat(70_000) }))).toThrow(
      expect.objectContaining({ code: "INVALID_RECEIPT" }),
    );
  });

  it("says in words what is wrong", () => {
    expect(() => parseReceipt(changed({ units: "9" }))).toThrow(
      "/units: expected Units charged by this segment, prompt_units included: a whole number ≥ 0",
    );
  });
});

describe("receiptFromJson", () => {
  it("accepts a receipt and refuses everything else", () => {
    expect(receiptFromJson(receipt)).toBe(receipt);
    for (const value of [null, undefined, 1, "x", [], {}]) {
      expect(() => receiptFromJson(value)).toThrow(expect.objectContaining({ code: "INVALID_RECEIPT" }));
    }
  });
});
