/** The members of a receipt, in words and in code. */
import { constant, integer, list, number, object, optional, type TypeOf, text } from "./field.ts";

/** Most attestations of one receipt: coordinators of one deployment, not a crowd. */
const MAX_ATTESTATIONS = 16;

const HASH = /^[0-9a-f]{64}$/;
const NAMED_HASH = /^sha256:[0-9a-f]{64}$/;
const ADDRESS = /^ait1[02-9ac-hj-np-z]{1,86}$/;
/** An address or an opaque id. API keys start with `ait_` and never stand here. */
const PARTY = /^(?!ait_)[\x21-\x7e]{1,128}$/;
const PRINTABLE = /^[\x20-\x7e]{1,256}$/;
/** Texts of legacy receipts may hold any characters. */
const LEGACY_NAME = /^[\s\S]{1,256}$/;
const LEGACY_TEXT = /^[\s\S]{0,1024}$/;
const KEY_ID = /^[A-Za-z0-9_-]{43}$/;
const SIGNATURE = /^[A-Za-z0-9_-]{86}$/;

const signatureBlock = object(
  {
    alg: constant(["Ed25519"], "Signature algorithm"),
    key_id: text(KEY_ID, "The 32-byte public key, unpadded base64url"),
    sig: text(SIGNATURE, "The 64-byte signature over the canonical bytes, unpadded base64url"),
  },
  "A signature over the canonical bytes without signature and attestations",
);
export type SignatureBlock = TypeOf<typeof signatureBlock>;

const progress = object(
  {
    seq: integer("Number of the statement within the lease, from 1", 1),
    bytes: integer("Bytes of the job's whole output that it covers, from byte 0"),
    running_sha256: text(HASH, "SHA-256 of those bytes"),
    units: integer("Units of this segment up to there, by the miner's own count"),
    terms_hash: text(HASH, "Hash of the terms of the lease"),
    key_id: text(KEY_ID, "Public key of the miner"),
    sig: text(SIGNATURE, "Signature over the statement's sign-bytes, type progress"),
  },
  "The miner's last signed progress, where it did not sign the receipt",
);
export type ReceiptProgress = TypeOf<typeof progress>;

const OUTCOMES = ["completed", "failed", "canceled", "lease_lost"] as const;
export type Outcome = (typeof OUTCOMES)[number];

const metadata = object(
  {
    token: integer("Number of the claim that delivered this segment", 1),
    start_byte: integer("Where the segment starts in the job's whole output, in bytes"),
    end_byte: integer("Where it ends"),
    meter: text(PRINTABLE, "Name of the meter that counted the units"),
    terms_hash: text(HASH, "SHA-256 of the canonical bytes of the terms"),
    output_sha256: text(HASH, "SHA-256 of the job's output from byte 0 to end_byte"),
    outcome: constant(OUTCOMES, "How the segment ended"),
    prompt_units: integer("Units of the request that are part of units: charged once a job"),
    settlement: constant(["voucher", "claim"], "How it is paid"),
    progress: optional(progress),
    payout: optional(text(ADDRESS, "Where the miner is paid, if not at its own address")),
  },
  "What the receipt covers",
);

/** A receipt of version 1.1: whole numbers and printable ASCII only. */
export const RECEIPT = object(
  {
    version: constant(["1.1"], "Version of the form"),
    receipt_id: text(PRINTABLE, "rcpt-<job_id>-<token>"),
    job_id: text(PRINTABLE, "Id of the job"),
    provider: text(PARTY, "The miner: address of its identity key, or an opaque id if it holds none"),
    client: text(PARTY, "The client: an address or an opaque id"),
    units: integer("Units charged by this segment, prompt_units included"),
    unit_type: constant(["token_ops", "gpu_seconds"], "What a unit is"),
    price: integer("Price of this segment in µAIT"),
    model: text(PRINTABLE, "Model that ran"),
    prompt_hash: text(NAMED_HASH, "SHA-256 of the request's payload after RFC 8785"),
    started_at: integer("Unix seconds"),
    completed_at: integer("Unix seconds"),
    duration_ms: integer("Milliseconds from lease to end"),
    artifact_hash: text(NAMED_HASH, "SHA-256 of this segment's bytes"),
    coordinator_id: text(ADDRESS, "Address of the coordinator's key"),
    nonce: text(PRINTABLE, "Nonce of the terms"),
    metadata,
    signature: optional(signatureBlock),
    attestations: optional(list(signatureBlock, MAX_ATTESTATIONS, "Signatures of coordinators")),
  },
  "Receipt, version 1.1",
);
export type Receipt = TypeOf<typeof RECEIPT>;

/** A receipt of version 1.0, as earlier software signed it: numbers may have fractions. */
export const LEGACY_RECEIPT = object(
  {
    version: constant(["1.0"], "Version of the form"),
    receipt_id: text(LEGACY_NAME, "Id of the receipt"),
    job_id: text(LEGACY_NAME, "Id of the job"),
    provider: text(LEGACY_NAME, "The miner"),
    client: text(LEGACY_NAME, "The client"),
    units: number("Units of work"),
    unit_type: constant(["gpu_seconds", "token_ops"], "What a unit is"),
    price: optional(number("Price")),
    model: optional(text(LEGACY_TEXT, "Model that ran")),
    prompt_hash: optional(text(LEGACY_TEXT, "Hash of the prompt")),
    started_at: number("Unix seconds"),
    completed_at: number("Unix seconds"),
    duration_ms: optional(number("Milliseconds")),
    artifact_hash: optional(text(LEGACY_TEXT, "Hash of the result")),
    coordinator_id: optional(text(LEGACY_TEXT, "The coordinator")),
    nonce: optional(text(LEGACY_TEXT, "Nonce")),
    chain_id: optional(number("Id of the chain")),
    metadata: optional(object({}, "Anything else")),
    signature: optional(signatureBlock),
    attestations: optional(list(signatureBlock, MAX_ATTESTATIONS, "Signatures of coordinators")),
  },
  "Receipt, version 1.0",
);
