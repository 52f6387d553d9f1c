import { describe, expect, it } from "vitest";
import { COORDINATOR_KEY, MINER_KEY, OUTPUT, outcomeOf, TERMS } from "../../../test/harness/receipts.ts";
import { fromUtf8, utf8 } from "../../crypto/bytes.ts";
import { sha256Hex } from "../../crypto/hash.ts";
import { buildReceipt } from "./build.ts";
import {
  attestReceipt,
  attestReceiptAsync,
  canonicalReceipt,
  keyIdOf,
  receiptHash,
  signReceipt,
  signReceiptAsync,
  verifyBlock,
  verifyBlockAsync,
} from "./sign.ts";

const receipt = buildReceipt(TERMS, outcomeOf(TERMS, OUTPUT.length));
const bytes = canonicalReceipt(receipt);
const signed = signReceipt(receipt, MINER_KEY);
const attested = attestReceipt(signed, COORDINATOR_KEY);
const { signature } = signed;
if (!signature) throw new Error("unsigned");

describe("receipt signatures", () => {
  it("cover the canonical bytes, the same before and after signing and attesting", () => {
    expect(canonicalReceipt(attested)).toEqual(bytes);
    expect(fromUtf8("bytes", bytes)).toMatch(
      /^\{"artifact_hash":"sha256:[0-9a-f]{64}","client":"client-5f2c",/,
    );
    expect(receiptHash(attested)).toBe(sha256Hex(bytes));
    expect(signature.key_id).toBe(keyIdOf(MINER_KEY.publicKey));
    expect(verifyBlock(signature, bytes)).toBe(true);
  });

  it("are the same on a thread", async () => {
    expect(await signReceiptAsync(receipt, MINER_KEY, bytes)).toEqual(signed);
    expect(await attestReceiptAsync(signed, COORDINATOR_KEY, bytes)).toEqual(attested);
    expect(await verifyBlockAsync(signature, bytes)).toBe(true);
    expect(await verifyBlockAsync(signature, utf8("x"))).toBe(false);
  });

  it("do not hold over other bytes, under another key or in another spelling", () => {
    expect(verifyBlock(signature, utf8("other"))).toBe(false);
    expect(verifyBlock({ ...signature, key_id: keyIdOf(COORDINATOR_KEY.publicKey) }, bytes)).toBe(false);
    expect(verifyBlock({ ...signature, sig: `${signature.sig}=` }, bytes)).toBe(false);
    expect(verifyBlock({ ...signature, key_id: "AA" }, bytes)).toBe(false);
  });

  it("drop attestations that the receipt came with", () => {
    expect(attestReceipt({ ...signed, attestations: [signature] }, COORDINATOR_KEY)).toEqual(attested);
  });
});
