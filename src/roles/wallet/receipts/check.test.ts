import { describe, expect, it } from "vitest";
import {
  COORDINATOR_KEY_ID,
  goodReceipt,
  MINER_KEY_ID,
} from "../../../../test/harness/receipt-coordinator.ts";
import { COORDINATOR_KEY, MINER_KEY, seededKey } from "../../../../test/harness/receipts.ts";
import type { Receipt } from "../../../domain/receipt/fields.ts";
import { attestReceipt, keyIdOf, signReceipt } from "../../../domain/receipt/sign.ts";
import { checkReceipt } from "./check.ts";

const JOB_ID = "0199f3a2c4d17b0e8a52c1d07f3b6e94";
const STRANGER = seededKey("a stranger");
const check = (receipt: Receipt, jobId = JOB_ID, pins = {}) =>
  checkReceipt(jobId, JSON.stringify(receipt), pins);
const good = goodReceipt(JOB_ID);
const { signature: _signature, attestations: _attestations, ...bare } = good;

describe("a receipt", () => {
  it("that both sides signed is valid; its keys are trusted where they are named", () => {
    const plain = check(good);
    expect(plain).toMatchObject({
      receipt_id: `rcpt-${JOB_ID}-1`,
      miner_signature: { key_id: MINER_KEY_ID, alg: "Ed25519", valid: true, trusted: false, reason: null },
      coordinator_attestations: [{ key_id: COORDINATOR_KEY_ID, valid: true, trusted: false, reason: null }],
      all_valid: true,
      failure_reasons: [],
      receipt_hash: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    const pins = { minerKeys: [MINER_KEY_ID], coordinatorKeys: [COORDINATOR_KEY_ID] };
    const pinned = check(good, JOB_ID, pins);
    expect([pinned.miner_signature.trusted, pinned.coordinator_attestations[0]?.trusted]).toEqual([
      true,
      true,
    ]);
  });

  it("that was changed is not valid, with a reason for each key", () => {
    const changed = check({ ...good, units: good.units + 1 });
    expect(changed.all_valid).toBe(false);
    expect(changed.miner_signature).toMatchObject({
      valid: false,
      reason: expect.stringContaining("does not match the receipt"),
    });
    expect(changed.coordinator_attestations).toMatchObject([
      { valid: false, reason: expect.stringContaining(COORDINATOR_KEY_ID) },
    ]);
    expect(changed.failure_reasons.some((reason) => reason.startsWith("miner_signature:"))).toBe(true);
    expect(changed.failure_reasons.some((reason) => reason.startsWith("attestation:"))).toBe(true);
  });

  it("that only one side signed is not valid, and says which is missing", () => {
    const unsigned = check(attestReceipt(bare, COORDINATOR_KEY));
    expect([unsigned.all_valid, unsigned.miner_signature.valid, unsigned.miner_signature.key_id]).toEqual([
      false,
      false,
      "",
    ]);
    expect(unsigned.miner_signature.reason).toContain("the miner did not sign");
    const unattested = check(signReceipt(bare, MINER_KEY));
    expect([unattested.all_valid, unattested.miner_signature.valid]).toEqual([false, true]);
    expect(unattested.failure_reasons).toEqual(["attestation: no coordinator attests the receipt"]);
  });

  it("of another signer than it names is not valid", () => {
    const stranger = check(attestReceipt(signReceipt(bare, STRANGER), COORDINATOR_KEY));
    expect(stranger.miner_signature).toMatchObject({
      key_id: keyIdOf(STRANGER.publicKey),
      valid: false,
      reason: expect.stringContaining("is not the address of the key that signed"),
    });
    const foreign = check(attestReceipt(signReceipt(bare, MINER_KEY), STRANGER));
    expect(foreign.coordinator_attestations).toMatchObject([
      { valid: false, reason: expect.stringContaining("does not count") },
    ]);
    expect(foreign.all_valid).toBe(false);
  });

  it("with a second attestation that does not hold is not valid, and the first still is", () => {
    const [first] = good.attestations ?? [];
    const [second] = attestReceipt({ ...bare, units: 1 }, COORDINATOR_KEY).attestations ?? [];
    if (!first || !second) throw new Error("both were attested");
    const both = check({ ...good, attestations: [first, second] });
    expect(both.coordinator_attestations.map(({ valid }) => valid)).toEqual([true, false]);
    expect(both.all_valid).toBe(false);
  });

  it("of another job is not valid for this one", () => {
    const other = check(good, "0199f3a2c4d17b0e8a52c1d07f3b6e95");
    expect(other.failure_reasons).toEqual(["job_id: the receipt is another job's"]);
    expect(other.all_valid).toBe(false);
  });

  it.each([{}, { receipt_id: "r" }, { ...good, units: "1" }, { ...good, metadata: null }])(
    "that cannot be read (%#) is not valid, and breaks nothing",
    (receipt) => {
      const checked = checkReceipt(JOB_ID, JSON.stringify(receipt), {});
      expect(checked).toMatchObject({ all_valid: false, receipt_hash: null, coordinator_attestations: [] });
      expect(checked.failure_reasons).toEqual([expect.stringMatching(/^form: the receipt cannot be read/)]);
    },
  );
});
