/** The terms of a lease: what miner and coordinator agree on before the work, and both sign over by its hash. */
import { canonicalizeSigned } from "../../crypto/canonical-json.ts";
import { sha256Hex } from "../../crypto/hash.ts";

/** Progress is signed every so many units or milliseconds, whichever comes first. */
export const PROGRESS_UNITS = 64;
export const PROGRESS_MS = 1000;

/** A type alias, not an interface, so that it passes where any JSON object does. */
export type Terms = {
  readonly v: 1;
  readonly job_id: string;
  /** Number of the claim, from 1: the fence of the lease. */
  readonly token: number;
  /** Address or opaque id of the client; never a key. */
  readonly client: string;
  readonly coordinator_id: string;
  readonly kind: string;
  readonly model: string;
  /** `requestHash` of the payload. */
  readonly request_sha256: string;
  readonly unit_type: "token_ops";
  readonly meter: string;
  /** Units of the request: charged once a job, to the segment that ends it. */
  readonly prompt_units: number;
  /** Units that earlier segments delivered. */
  readonly settled_units: number;
  /** Where this segment starts in the job's whole output, in bytes. */
  readonly start_byte: number;
  /** SHA-256 (hex) of the output up to `start_byte`. */
  readonly prefix_sha256: string;
  readonly price_uait_per_million_units: number;
  /** Longest whole output, in bytes. */
  readonly max_output_bytes: number;
  /** When the lease was granted, in Unix seconds: the coordinator's time. */
  readonly started_at: number;
  /** How long the lease may run, in seconds. */
  readonly deadline_seconds: number;
  readonly progress_units: number;
  readonly progress_ms: number;
  readonly settlement: "voucher";
  readonly nonce: string;
};

/** Hash of terms: SHA-256 (hex) of their canonical bytes. Throws INVALID_PAYLOAD for what cannot be signed. */
export function termsHash(terms: Terms): string {
  return sha256Hex(canonicalizeSigned(terms));
}
