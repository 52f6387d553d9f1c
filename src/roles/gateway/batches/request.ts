import { AppError } from "../../../kernel/errors.ts";
import { check } from "../../../kernel/http/body.ts";
import { parseJson } from "../../../kernel/json.ts";
import type { JobPayload } from "../../../wire/jobs.ts";
import { type BatchEndpoint, BatchLine } from "../../../wire/openai/batches.ts";
import { ChatRequest } from "../../../wire/openai/chat.ts";
import { CompletionRequest } from "../../../wire/openai/completions.ts";
import { EmbeddingRequest } from "../../../wire/openai/embeddings.ts";
import type { AnswerImage, WholeAnswer } from "../answers.ts";
import { toChatCompletion } from "../openai/chat.ts";
import { CHAT_NAMES, toChatJob } from "../openai/chat-request.ts";
import { toCompletion, toTextPayload } from "../openai/completions.ts";
import { toEmbeddingList, toEmbeddingPayload } from "../openai/embeddings.ts";
import { toUnixSeconds } from "../openai/shape.ts";
import { checkPayload, type MemberNames, usualMaxTokens } from "../payload.ts";
import type { CoordinatorPort } from "../ports.ts";

/** A job whose answer is to be written. */
export interface AnsweredJob {
  readonly jobId: string;
  /** Unix ms. */
  readonly createdAt: number;
  readonly answer: WholeAnswer;
}

/** One call of a batch. */
export interface BatchCall {
  readonly customId: string;
  readonly model: string;
  /** What it asks for. @throws AppError as `checkPayload`, INVALID_PAYLOAD for an image that is none */
  toJob(coordinator: Pick<CoordinatorPort, "findModel">): {
    readonly payload: JobPayload;
    readonly images: readonly AnswerImage[];
  };
  /** What the call's route would have answered. */
  write(job: AnsweredJob): object;
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Reads a line.
 * @throws AppError MALFORMED_JSON, INVALID_PAYLOAD whose `meta.pointer` is a place in the line
 */
export function readCall(bytes: Uint8Array, endpoint: BatchEndpoint): BatchCall {
  const line = check(BatchLine, parseJson(decode(bytes)), "body");
  const { custom_id, url } = line;
  if (url !== endpoint) throw invalid("/url", `must be ${endpoint}, the endpoint of the batch`);
  if ("stream" in line.body && line.body["stream"] !== false && line.body["stream"] !== null) {
    throw invalid("/body/stream", "is not possible in a batch; leave it out");
  }
  return { customId: custom_id, ...READERS[endpoint](line.body) };
}

function decode(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw new AppError("MALFORMED_JSON", "the line is not UTF-8", { cause });
  }
}

type ReadBody = (body: unknown) => Omit<BatchCall, "customId">;

const READERS: Readonly<Record<BatchEndpoint, ReadBody>> = {
  "/v1/chat/completions": (body) => {
    const request = inBody(() => check(ChatRequest, body, "body"));
    const { model, service_tier: tier, logprobs } = request;
    return {
      model,
      toJob: (coordinator) =>
        inBody(() => {
          const job = toChatJob(request, usualMaxTokens(coordinator, model));
          return { ...job, payload: checked(coordinator, job.payload, CHAT_NAMES) };
        }),
      write: ({ jobId, createdAt, answer }) => {
        const head = headOf("chatcmpl-", "chat.completion", jobId, createdAt, model);
        const tiered = tier ? { ...head, service_tier: tier } : head;
        return toChatCompletion(tiered, jobId, answer, logprobs === true);
      },
    };
  },
  "/v1/completions": (body) => {
    const request = inBody(() => check(CompletionRequest, body, "body"));
    const { model } = request;
    return {
      model,
      toJob: (coordinator) =>
        inBody(() => {
          const payload = toTextPayload(request, usualMaxTokens(coordinator, model));
          return { payload: checked(coordinator, payload), images: [] };
        }),
      write: ({ jobId, createdAt, answer }) =>
        toCompletion(headOf("cmpl-", "text_completion", jobId, createdAt, model), jobId, answer, request),
    };
  },
  "/v1/embeddings": (body) => {
    const request = inBody(() => check(EmbeddingRequest, body, "body"));
    return {
      model: request.model,
      toJob: (coordinator) =>
        inBody(() => {
          const payload = checked(coordinator, toEmbeddingPayload(request), { type: "model" });
          return { payload, images: [] };
        }),
      write: ({ jobId, answer }) => toEmbeddingList(request, jobId, answer),
    };
  },
};

function checked(
  coordinator: Pick<CoordinatorPort, "findModel">,
  payload: JobPayload,
  names?: MemberNames,
): JobPayload {
  return checkPayload(coordinator, payload, names);
}

function headOf(prefix: string, object: string, jobId: string, createdAt: number, model: string) {
  return { id: prefix + jobId, object, created: toUnixSeconds(createdAt), model };
}

/** What is wrong in a call's body stands below `/body` in its line. */
function inBody<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    const { pointer, member } = error.meta;
    throw new AppError(error.code, error.message, {
      cause: error,
      meta: {
        ...error.meta,
        ...(typeof pointer === "string" && { pointer: `/body${pointer}` }),
        ...(typeof member === "string" && { member: `body.${member}` }),
      },
    });
  }
}

function invalid(pointer: string, what: string): AppError {
  return new AppError("INVALID_PAYLOAD", `${pointer}: ${what}`, {
    meta: { pointer, fault: "invalid", what },
  });
}
