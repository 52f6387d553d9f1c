import { addressOfKey } from "../../crypto/address.ts";
import { toBase64Url } from "../../crypto/bytes.ts";
import { RunningHash, sha256Hex } from "../../crypto/hash.ts";
import { realmOfCoordinator } from "../../crypto/sign-bytes.ts";
import { signSessionProof } from "../../domain/job/session-proof.ts";
import type { Terms } from "../../domain/job/terms.ts";
import { buildReceipt } from "../../domain/receipt/build.ts";
import type { Receipt } from "../../domain/receipt/fields.ts";
import { receiptFromJson } from "../../domain/receipt/parse.ts";
import { type Progress, signProgress } from "../../domain/receipt/progress.ts";
import { canonicalReceipt, keyIdOf, signReceipt, verifyBlockAsync } from "../../domain/receipt/sign.ts";
import type { Identity } from "./identity.ts";

const MS_PER_SECOND = 1000;

/** What a miner delivered under one lease. */
export interface Delivered {
  /** Text of earlier segments. */
  readonly prefix: string;
  /** Text of this segment. */
  readonly text: string;
  /** Where it ends in the job's whole output, in bytes. */
  readonly endByte: number;
  /** Units of `text`. */
  readonly units: number;
  /** From the offer until now, in ms. */
  readonly elapsedMs: number;
}

/** Everything this miner signs for one coordinator. */
export interface Signer {
  readonly coordinatorId: string;
  /** Public key and proof for `register`, for the coordinator's nonce. */
  proveSession(nonce: string): { public_key: string; signature: string };
  /** Signature over a statement of progress, unpadded base64url. */
  signProgress(progress: Progress): string;
  /** The signed receipt of a finished job, its times counted from the terms' start. */
  signReceipt(terms: Terms, delivered: Delivered): Receipt;
  /** Whether the coordinator has attested a receipt that this miner signed. False for malformed JSON. */
  isAttested(receipt: unknown): Promise<boolean>;
}

/**
 * @param payout where the miner is paid, if not at its own address
 */
export function createSigner(
  identity: Identity,
  coordinatorKey: Uint8Array,
  payout: string | undefined,
): Signer {
  const realm = realmOfCoordinator(coordinatorKey);
  const coordinatorId = addressOfKey(coordinatorKey);
  const coordinatorKeyId = keyIdOf(coordinatorKey);
  const minerKeyId = keyIdOf(identity.publicKey);
  return {
    coordinatorId,
    proveSession(nonce) {
      const proof = { v: 1 as const, nonce, coordinator_id: coordinatorId, miner_id: identity.minerId };
      const signature = signSessionProof(proof, realm, identity.secretKey);
      return { public_key: toBase64Url(identity.publicKey), signature: toBase64Url(signature) };
    },
    signProgress: (progress) => toBase64Url(signProgress(progress, realm, identity.secretKey)),
    signReceipt(terms, { prefix, text, endByte, units, elapsedMs }) {
      const receipt = buildReceipt(terms, {
        provider: identity.minerId,
        endsJob: true,
        outcome: "completed",
        end_byte: endByte,
        delivered_units: units,
        segment_sha256: sha256Hex(text),
        output_sha256: new RunningHash().update(prefix).update(text).hex(),
        completed_at: terms.started_at + Math.floor(elapsedMs / MS_PER_SECOND),
        duration_ms: Math.floor(elapsedMs),
        payout,
      });
      return signReceipt(receipt, identity.secretKey);
    },
    async isAttested(json) {
      try {
        const receipt = receiptFromJson(json);
        const bytes = canonicalReceipt(receipt);
        const attestation = receipt.attestations?.find(({ key_id }) => key_id === coordinatorKeyId);
        return (
          receipt.signature?.key_id === minerKeyId &&
          attestation !== undefined &&
          (await verifyBlockAsync(receipt.signature, bytes)) &&
          (await verifyBlockAsync(attestation, bytes))
        );
      } catch {
        // Malformed: there is nothing to verify.
        return false;
      }
    },
  };
}
