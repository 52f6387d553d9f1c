/** Signed samples of receipts, and test vectors of terms, progress, sessions, meters and prices. */

import { addressOfKey } from "../../src/crypto/address.ts";
import { fromHex, fromUtf8, toBase64Url, toHex } from "../../src/crypto/bytes.ts";
import { type Canonicalizable, canonicalize, canonicalizeSigned } from "../../src/crypto/canonical-json.ts";
import { SecretKey, sign } from "../../src/crypto/ed25519.ts";
import { sha256Hex } from "../../src/crypto/hash.ts";
import { BYTES_METER } from "../../src/domain/job/meter.ts";
import { requestHash } from "../../src/domain/job/request.ts";
import { type SessionProof, sessionProofSignBytes } from "../../src/domain/job/session-proof.ts";
import { termsHash } from "../../src/domain/job/terms.ts";
import { segmentPrice, totalPrice } from "../../src/domain/pricing/price.ts";
import { buildReceipt } from "../../src/domain/receipt/build.ts";
import type { Receipt } from "../../src/domain/receipt/fields.ts";
import { parseReceipt } from "../../src/domain/receipt/parse.ts";
import { type Progress, progressSignBytes } from "../../src/domain/receipt/progress.ts";
import { attestReceipt, canonicalReceipt, keyIdOf, signReceipt } from "../../src/domain/receipt/sign.ts";
import {
  COORDINATOR_KEY,
  MINER_KEY,
  OUTPUT,
  outcomeOf,
  progressAt,
  REALM,
  REQUEST,
  TERMS,
} from "../../test/harness/receipts.ts";

/** Where the failed sample's miner signed its last progress, and where its segment ends, in bytes of OUTPUT. */
const PROGRESS_BYTE = 20;
const FAILED_BYTE = 29;

/** The known-good receipt of earlier software: its key and its payload. */
const LEGACY_KEY = "e2c35a46318ec09cf1cc04f06c4ba18bf2cd3f0ed318d986f01228bdbf9fd326";
const LEGACY_PAYLOAD =
  '{"artifact_hash":"sha256:deadbeef...","chain_id":12345,"client":"ait1clientabc...","completed_at":1695720002,"coordinator_id":"coord-eu-west-1","job_id":"job-abc123","model":"runwayml/stable-diffusion-v1-5","nonce":"b7f3d10b","price":4.2,"prompt_hash":"sha256:cf1f...","provider":"ait1minerxyz...","receipt_id":"rcpt-20250926-000123","started_at":1695720000,"unit_type":"gpu_seconds","units":1.9,"version":"1.0"}';

/** A job that completed: signed by the miner, attested by the coordinator. */
export function completedSample(): Receipt {
  const receipt = buildReceipt(TERMS, outcomeOf(TERMS, OUTPUT.length));
  return attestReceipt(signReceipt(receipt, MINER_KEY), COORDINATOR_KEY);
}

/** A job that failed when its miner was lost: attested, with the miner's last signed progress. */
export function failedSample(): Receipt {
  const progress = progressAt(TERMS, PROGRESS_BYTE);
  const receipt = buildReceipt(TERMS, outcomeOf(TERMS, FAILED_BYTE, { outcome: "failed", progress }));
  return attestReceipt(receipt, COORDINATOR_KEY);
}

/** The legacy receipt as JSON text; its numbers keep their spelling. */
export function legacySample(): string {
  const key = new SecretKey(fromHex("key", LEGACY_KEY));
  const { bytes } = parseReceipt(LEGACY_PAYLOAD);
  const signature = { alg: "Ed25519", key_id: keyIdOf(key.publicKey), sig: toBase64Url(sign(bytes, key)) };
  return `${LEGACY_PAYLOAD.slice(0, -1)},"signature":${JSON.stringify(signature)}}`;
}

/** What verifies the samples: terms, request, output and keys. */
export function sampleEvidence(): Canonicalizable {
  return {
    coordinator_key: keyIdOf(COORDINATOR_KEY.publicKey),
    miner_key: keyIdOf(MINER_KEY.publicKey),
    terms: TERMS,
    request: REQUEST,
    output: fromUtf8("output", OUTPUT),
  };
}

/** Canonical bytes and hashes of the samples. */
export function receiptVectors(): Canonicalizable {
  const entry = (sample: string, bytes: Uint8Array): Canonicalizable => ({
    sample,
    canonical: fromUtf8("bytes", bytes),
    receipt_hash: sha256Hex(bytes),
  });
  return {
    about: "canonical: what signature and attestations cover. receipt_hash: its SHA-256.",
    receipts: [
      entry("completed.json", canonicalReceipt(completedSample())),
      entry("failed.json", canonicalReceipt(failedSample())),
      entry("legacy.json", parseReceipt(legacySample()).bytes),
    ],
  };
}

/** Terms, the hash of a request, and statements signed with type and realm. */
export function jobVectors(): Canonicalizable {
  const { key_id: _key, sig: _sig, ...members } = progressAt(TERMS, PROGRESS_BYTE);
  const progress: Progress = { v: 1, job_id: TERMS.job_id, token: TERMS.token, ...members };
  const proof: SessionProof = {
    v: 1,
    nonce: sha256Hex("nonce"),
    coordinator_id: TERMS.coordinator_id,
    miner_id: addressOfKey(MINER_KEY.publicKey),
  };
  const signed = (payload: Canonicalizable, bytes: Uint8Array): Canonicalizable => ({
    payload,
    sign_bytes: toHex(bytes),
    signature: toHex(sign(bytes, MINER_KEY)),
  });
  return {
    about:
      "sign_bytes = `aitbc/<type>/v1` + 00 + realm + canonical payload; realm here: SHA-256 of coordinator_public_key.",
    coordinator_public_key: toHex(COORDINATOR_KEY.publicKey),
    miner_secret_key: toHex(MINER_KEY.exportBytes()),
    miner_public_key: toHex(MINER_KEY.publicKey),
    realm: toHex(REALM),
    request: { payload: REQUEST, canonical: canonicalize(REQUEST), request_sha256: requestHash(REQUEST) },
    terms: { payload: TERMS, canonical: canonicalizeSigned(TERMS), terms_hash: termsHash(TERMS) },
    progress: signed(progress, progressSignBytes(progress, REALM)),
    "miner-session": signed(proof, sessionProofSignBytes(proof, REALM)),
  };
}

/** Units and prices. */
export function meteringVectors(): Canonicalizable {
  const prices: readonly (readonly [bigint, bigint, bigint])[] = [
    [0n, 1n, 1n],
    [0n, 1_000_000n, 7n],
    [3n, 4n, 333_333n],
    [0n, 4_000_000_000_000_000_000n, 999_999n],
  ];
  return {
    about: "Amounts in µAIT. segment: f(settled + units) - f(settled), f(u) = ceil(u * price / 1000000).",
    "bytes/4": [0, 1, 4, 5, 1023, 1024, 1025].map((bytes) => ({ bytes, units: BYTES_METER.units(bytes) })),
    prices: prices.map(([settled, units, price]) => ({
      settled_units: String(settled),
      units: String(units),
      price_uait_per_million_units: String(price),
      total: String(totalPrice(settled + units, price)),
      segment: String(segmentPrice(settled, units, price)),
    })),
  };
}
