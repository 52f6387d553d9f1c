import { addressOfKey } from "../../../src/crypto/address.ts";
import { publicKeyOf, SecretKey } from "../../../src/crypto/ed25519.ts";
import { sha256Hex } from "../../../src/crypto/hash.ts";
import { SegmentCounter } from "../../../src/domain/job/meter.ts";
import { buildReceipt } from "../../../src/domain/receipt/build.ts";
import type { Receipt } from "../../../src/domain/receipt/fields.ts";
import { signReceiptAsync } from "../../../src/domain/receipt/sign.ts";
import { systemRandomBytes } from "../../../src/kernel/ids.ts";
import type { Claimed } from "../../../src/roles/coordinator/claim.ts";

/** What every job answers. */
export const ANSWER = "37 + 45 = 82, because 30 + 40 = 70 and 7 + 5 = 12.";

/** A miner's key, and what it signs. */
export interface BenchMiner {
  readonly id: string;
  readonly publicKey: Uint8Array;
  /** The receipt of a finished job, as it comes over the wire. */
  signReceipt(claimed: Pick<Claimed, "terms" | "meter">): Promise<Receipt>;
}

export function createMiner(): BenchMiner {
  const key = new SecretKey(systemRandomBytes(32));
  const publicKey = publicKeyOf(key);
  const id = addressOfKey(publicKey);
  return {
    id,
    publicKey,
    async signReceipt({ terms, meter }) {
      const counter = new SegmentCounter(meter, "");
      counter.add(ANSWER);
      const receipt = buildReceipt(terms, {
        provider: id,
        endsJob: true,
        outcome: "completed",
        end_byte: ANSWER.length,
        delivered_units: counter.units,
        segment_sha256: sha256Hex(ANSWER),
        output_sha256: sha256Hex(ANSWER),
        completed_at: terms.started_at,
        duration_ms: 1,
      });
      return signReceiptAsync(receipt, key);
    },
  };
}
