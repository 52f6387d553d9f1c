import { utf8Length } from "../../crypto/bytes.ts";
import { sha256Hex } from "../../crypto/hash.ts";
import { promptUnits } from "../../domain/job/meter.ts";
import type { Meters } from "../../domain/job/meters.ts";
import { requestHash } from "../../domain/job/request.ts";
import type { Offer } from "../../wire/session.ts";

/** Why an offer is not taken. Goes into the `reject` frame. */
export interface Refusal {
  readonly code: string;
  readonly message: string;
}

const MS_PER_SECOND = 1000;

/**
 * What is wrong with an offer, or undefined. The miner will sign over these terms, so each statement in them
 * that it can check must agree with what came beside them.
 */
export function findFault(offer: Offer, coordinatorId: string, meters: Meters): Refusal | undefined {
  const { terms, payload, prefix, deadline_ms } = offer;
  const meter = meters.find(terms.meter);
  if (!meter) return { code: "UNKNOWN_METER", message: `this miner cannot count by ${terms.meter}` };
  const invalid = (message: string): Refusal => ({ code: "INVALID_TERMS", message });
  if (terms.coordinator_id !== coordinatorId) return invalid("the terms name another coordinator");
  if (terms.kind !== payload.type) return invalid("the terms name another kind than the payload");
  if (payload.model !== undefined && payload.model !== terms.model) {
    return invalid("the terms name another model than the payload");
  }
  if (!isRequest(offer)) return invalid("request_sha256 is not the payload's");
  if (terms.prompt_units !== promptUnits(meter, payload)) return invalid("prompt_units is not the payload's");
  if (terms.start_byte !== utf8Length(prefix)) return invalid("start_byte is not the end of the prefix");
  if (terms.prefix_sha256 !== sha256Hex(prefix)) return invalid("prefix_sha256 is not the prefix's");
  if (terms.start_byte >= terms.max_output_bytes) return invalid("the output has reached its limit");
  if (deadline_ms > terms.deadline_seconds * MS_PER_SECOND) return invalid("deadline_ms passes the terms'");
  return undefined;
}

/** Whether the terms are about this payload. The model may be the coordinator's choice for a client that named none. */
function isRequest({ terms, payload }: Offer): boolean {
  return (
    terms.request_sha256 === requestHash(payload) ||
    terms.request_sha256 === requestHash({ ...payload, model: undefined })
  );
}
