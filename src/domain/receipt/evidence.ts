/** What a verification takes in and gives out. */
import type { Canonicalizable } from "../../crypto/canonical-json.ts";
import type { MeteredRequest } from "../job/meter.ts";
import type { Meters } from "../job/meters.ts";
import type { Terms } from "../job/terms.ts";

/** Keys that the caller knows from elsewhere, as in `key_id`: unpadded base64url. */
export interface Pins {
  readonly coordinatorKeys?: readonly string[];
  readonly minerKeys?: readonly string[];
}

/** What the caller holds besides the receipt; each piece lets more be proven. */
export interface Evidence {
  readonly terms?: Terms | undefined;
  /** Payload of the request. */
  readonly request?: (MeteredRequest & { readonly [member: string]: Canonicalizable }) | undefined;
  /** The job's whole output from byte 0, at least as far as the receipt goes. */
  readonly output?: Uint8Array | undefined;
  /** Meters to count again with; absent: bytes/4 alone. */
  readonly meters?: Meters | undefined;
  /** Genesis hash, where a chain is configured; absent: the attesting coordinator's own realm. */
  readonly realm?: Uint8Array | undefined;
}

export type Status = "proven" | "not_proven" | "failed";

export interface Line {
  /** Short fixed name, such as `miner_signature`. */
  readonly check: string;
  readonly status: Status;
  /** One sentence for people. */
  readonly detail: string;
}

export const proven = (check: string, detail: string): Line => ({ check, status: "proven", detail });
export const notProven = (check: string, detail: string): Line => ({ check, status: "not_proven", detail });
export const failed = (check: string, detail: string): Line => ({ check, status: "failed", detail });

/** `proven` where `holds`, else `failed`. */
export const decided = (check: string, holds: boolean, yes: string, no: string): Line =>
  holds ? proven(check, yes) : failed(check, no);
