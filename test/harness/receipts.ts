/** Terms, keys and receipts from fixed seeds, for tests and for the generated samples. */
import { addressOfKey } from "../../src/crypto/address.ts";
import { toBase64Url, utf8 } from "../../src/crypto/bytes.ts";
import { SecretKey } from "../../src/crypto/ed25519.ts";
import { sha256, sha256Hex } from "../../src/crypto/hash.ts";
import { realmOfCoordinator } from "../../src/crypto/sign-bytes.ts";
import { BYTES_METER, promptUnits } from "../../src/domain/job/meter.ts";
import { requestHash } from "../../src/domain/job/request.ts";
import { type Terms, termsHash } from "../../src/domain/job/terms.ts";
import type { SegmentOutcome } from "../../src/domain/receipt/build.ts";
import type { ReceiptProgress } from "../../src/domain/receipt/fields.ts";
import { type Progress, signProgress } from "../../src/domain/receipt/progress.ts";

/** A secret key that is the same in every run. It guards nothing. */
export function seededKey(name: string): SecretKey {
  return new SecretKey(sha256(`aitbc test key: ${name}`));
}

export const MINER_KEY = seededKey("miner");
export const COORDINATOR_KEY = seededKey("coordinator");
export const REALM = realmOfCoordinator(COORDINATOR_KEY.publicKey);
export const REQUEST = { type: "inference", prompt: "Why is the sky blue? Très bref.", model: "aitbc-tiny" };
export const OUTPUT = utf8("Because air scatters blue light — more than red. ☀");

export const TERMS: Terms = {
  v: 1,
  job_id: "0199f3a2c4d17b0e8a52c1d07f3b6e94",
  token: 1,
  client: "client-5f2c",
  coordinator_id: addressOfKey(COORDINATOR_KEY.publicKey),
  kind: "inference",
  model: "aitbc-tiny",
  request_sha256: requestHash(REQUEST),
  unit_type: "token_ops",
  meter: BYTES_METER.name,
  prompt_units: promptUnits(BYTES_METER, REQUEST),
  settled_units: 0,
  start_byte: 0,
  prefix_sha256: sha256Hex(""),
  price_uait_per_million_units: 2_500_000,
  max_output_bytes: 65_536,
  started_at: 1_795_000_000,
  deadline_seconds: 600,
  progress_units: 64,
  progress_ms: 1000,
  settlement: "voucher",
  nonce: "b7f3d10b5a2e4c61",
};

/** How a segment of OUTPUT from the start of the terms to `endByte` ended. */
export function outcomeOf(terms: Terms, endByte: number, rest: Partial<SegmentOutcome> = {}): SegmentOutcome {
  return {
    provider: addressOfKey(MINER_KEY.publicKey),
    endsJob: true,
    outcome: "completed",
    end_byte: endByte,
    delivered_units: Math.max(0, BYTES_METER.units(endByte) - BYTES_METER.units(terms.start_byte)),
    segment_sha256: sha256Hex(OUTPUT.subarray(terms.start_byte, endByte)),
    output_sha256: sha256Hex(OUTPUT.subarray(0, endByte)),
    completed_at: terms.started_at + 2,
    duration_ms: 1840,
    ...rest,
  };
}

/** The miner's signed progress at a byte of OUTPUT, as a receipt carries it. */
export function progressAt(terms: Terms, bytes: number): ReceiptProgress {
  const statement: Progress = {
    v: 1,
    job_id: terms.job_id,
    token: terms.token,
    seq: 1,
    bytes,
    running_sha256: sha256Hex(OUTPUT.subarray(0, bytes)),
    units: BYTES_METER.units(bytes) - BYTES_METER.units(terms.start_byte),
    terms_hash: termsHash(terms),
  };
  const { v: _v, job_id: _job, token: _token, ...members } = statement;
  return {
    ...members,
    key_id: toBase64Url(MINER_KEY.publicKey),
    sig: toBase64Url(signProgress(statement, REALM, MINER_KEY)),
  };
}
