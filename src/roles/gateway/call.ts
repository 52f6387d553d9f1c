import { sha256Hex } from "../../crypto/hash.ts";
import type { RouteContract } from "../../kernel/http/contract.ts";
import type { OpenAnswer } from "./answers.ts";
import type { CallKey, GatewayDeps } from "./ports.ts";

/** What a call to one of the APIs says about itself. */
export interface CallFacts {
  readonly bodyText: string;
  readonly idempotencyKey: string | undefined;
  /** What the caller asked for; undefined: it runs on if it has a key to come back with. */
  readonly detach: boolean | undefined;
  /** Aborts when the caller goes away. */
  readonly signal: AbortSignal;
}

/** What a call is known by when it comes again; undefined without an Idempotency-Key. */
export function toCallKey(
  contract: RouteContract,
  { idempotencyKey, bodyText }: CallFacts,
): CallKey | undefined {
  if (idempotencyKey === undefined) return undefined;
  const { method, path } = contract;
  return { key: idempotencyKey, method, path, bodySha256: sha256Hex(bodyText) };
}

/**
 * What to do when the caller goes away: cancel its job, so that the engine stops and nothing more is charged.
 * Unless it wants to come back; and not when it is the daemon that goes.
 */
export function createAbandon(
  { stopping, log }: GatewayDeps,
  answer: OpenAnswer,
  { detach, idempotencyKey }: CallFacts,
): () => void {
  const staysRunning = detach ?? idempotencyKey !== undefined;
  let isAbandoned = false;
  return () => {
    if (isAbandoned || staysRunning || stopping.aborted) return;
    isAbandoned = true;
    answer
      .cancel()
      .catch((error: unknown) => log.error({ err: error, job_id: answer.jobId }, "job not canceled"));
  };
}
