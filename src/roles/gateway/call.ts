import { sha256Hex } from "../../crypto/hash.ts";
import type { RouteContract } from "../../kernel/http/contract.ts";
import type { Call } from "../../kernel/http/router.ts";
import type { Principal } from "../../wire/access.ts";
import { DEADLINE_HEADER, toDeadlineSeconds } from "../../wire/deadline.ts";
import type { JobPayload } from "../../wire/jobs.ts";
import type { createChatCompletion } from "../../wire/openai/chat.ts";
import { type AnswerOptions, type OpenAnswer, openAnswer } from "./answers.ts";
import type { CallKey, GatewayDeps } from "./ports.ts";

/** What a call that becomes a job is made of, whichever API it came by. */
export type JobCall = Pick<
  Call<typeof createChatCompletion, Principal>,
  "principal" | "headers" | "bodyText" | "signal" | "requestId"
>;

/** A call that has become a job. */
export interface OpenCall {
  readonly answer: OpenAnswer;
  /** What its answer tells in headers, also when it fails. */
  readonly headers: Readonly<Record<string, string>>;
  /** Called when the caller has gone. */
  abandon(): void;
}

/** What a call to one of the APIs says about itself. */
interface CallFacts {
  readonly bodyText: string;
  readonly idempotencyKey: string | undefined;
  /** What the caller asked for; undefined: it runs on if it has a key to come back with. */
  readonly detach: boolean | undefined;
  /** Aborts when the caller goes away. */
  readonly signal: AbortSignal;
}

/** Makes a job of a call, as its headers ask for. @throws AppError what `openAnswer` throws */
export async function openCall(
  deps: GatewayDeps,
  contract: RouteContract,
  { principal, headers, bodyText, signal }: JobCall,
  payload: JobPayload,
  options: Pick<AnswerOptions, "images" | "names" | "priority">,
): Promise<OpenCall> {
  const detach = headers["x-aitbc-detach"];
  const facts: CallFacts = {
    bodyText,
    idempotencyKey: headers["idempotency-key"],
    detach: detach === undefined ? undefined : detach === "true",
    signal,
  };
  const answer = await openAnswer(deps.coordinator, principal, payload, {
    ...options,
    key: toCallKey(contract, facts),
    deadline_seconds: toDeadlineSeconds(headers[DEADLINE_HEADER]),
    signal,
  });
  return {
    answer,
    headers: {
      "x-aitbc-job-id": answer.jobId,
      ...(answer.replayed && { "idempotent-replayed": "true" }),
    },
    abandon: createAbandon(deps, answer, facts),
  };
}

/** What a call is known by when it comes again; undefined without an Idempotency-Key. */
function toCallKey(contract: RouteContract, { idempotencyKey, bodyText }: CallFacts): CallKey | undefined {
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
