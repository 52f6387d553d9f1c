import { AppError } from "../../../kernel/errors.ts";
import { textStreamResponse } from "../../../kernel/http/event-stream.ts";
import { isServerFault, problemResponse } from "../../../kernel/http/problem.ts";
import { ok, type Router } from "../../../kernel/http/router.ts";
import type { Access, Principal } from "../../../wire/access.ts";
import { createChatCompletion } from "../../../wire/openai/chat.ts";
import { createCompletion } from "../../../wire/openai/completions.ts";
import { createEmbedding } from "../../../wire/openai/embeddings.ts";
import { OPENAI_ERRORS } from "../../../wire/openai/errors.ts";
import { getOpenAiModel, listOpenAiModels } from "../../../wire/openai/models.ts";
import { type OpenAnswer, readAnswer, type WholeAnswer } from "../answers.ts";
import { type JobCall, type OpenCall, openCall } from "../call.ts";
import { usualMaxTokens } from "../payload.ts";
import type { GatewayDeps } from "../ports.ts";
import { CHAT_STREAM, toChatCompletion } from "./chat.ts";
import { CHAT_NAMES, toChatJob } from "./chat-request.ts";
import { createTextStream, toCompletion, toTextPayload } from "./completions.ts";
import { toEmbeddingList, toEmbeddingPayload } from "./embeddings.ts";
import { toOpenAiModel } from "./models.ts";
import { type Head, type StreamShape, toUnixSeconds } from "./shape.ts";
import { writeStream } from "./stream.ts";

type ApiRouter = Router<Access, Principal>;

/** The routes of OpenAI's API. */
export function addOpenAiRoutes(router: ApiRouter, deps: GatewayDeps): void {
  addModelRoutes(router, deps);
  router.on(createChatCompletion, async (call) => {
    const { body } = call;
    const { payload, images } = toChatJob(body, usualMaxTokens(deps.coordinator, body.model));
    const job = await openCall(deps, createChatCompletion, call, payload, {
      images,
      names: CHAT_NAMES,
      priority: PRIORITIES[body.service_tier ?? "default"],
    });
    const tier = body.service_tier ? { service_tier: body.service_tier } : {};
    const head = headOf(job.answer, "chatcmpl-", "chat.completion.chunk", body.model, tier);
    if (body.stream) return stream(deps, call, job, head, CHAT_STREAM);
    return whole(call, job, (answer) =>
      toChatCompletion(head, job.answer.jobId, answer, body.logprobs === true),
    );
  });
  router.on(createCompletion, async (call) => {
    const { body } = call;
    const payload = toTextPayload(body, usualMaxTokens(deps.coordinator, body.model));
    const job = await openCall(deps, createCompletion, call, payload, {});
    const head = headOf(job.answer, "cmpl-", "text_completion", body.model);
    if (body.stream) return stream(deps, call, job, head, createTextStream(body));
    return whole(call, job, (answer) => toCompletion(head, job.answer.jobId, answer, body));
  });
  router.on(createEmbedding, async (call) => {
    const job = await openCall(deps, createEmbedding, call, toEmbeddingPayload(call.body), {
      names: { type: "model" },
    });
    return whole(call, job, (answer) => toEmbeddingList(call.body, job.answer.jobId, answer));
  });
}

function addModelRoutes(router: ApiRouter, { coordinator }: GatewayDeps): void {
  router.on(listOpenAiModels, () =>
    ok({ object: "list", data: coordinator.listModels().map(toOpenAiModel) }),
  );
  router.on(getOpenAiModel, ({ params: { model } }) => {
    const known = coordinator.findModel(model);
    if (known) return ok(toOpenAiModel(known));
    throw new AppError("MODEL_NOT_FOUND", `the model ${model} does not exist: no miner has ever offered it`, {
      meta: { member: "model" },
    });
  });
}

/** Priorities of jobs, by OpenAI's names. */
const PRIORITIES = { flex: 0, auto: 1, default: 1, priority: 2 } as const;

function headOf(
  { jobId, createdAt }: OpenAnswer,
  prefix: string,
  object: string,
  model: string,
  rest = {},
): Head {
  return { id: prefix + jobId, object, created: toUnixSeconds(createdAt), model, ...rest };
}

interface Streamable {
  readonly body: {
    readonly stream_options?: { readonly include_usage?: boolean | null | undefined } | null | undefined;
  };
  readonly requestId: string;
  readonly signal: AbortSignal;
}

function stream(
  { log }: GatewayDeps,
  { body, requestId, signal }: Streamable,
  { answer, headers, abandon }: OpenCall,
  head: Head,
  shape: StreamShape,
): Response {
  // Whichever tells first that the caller has gone: its connection, or the stream that nobody reads any more.
  signal.addEventListener("abort", abandon, { once: true });
  const source = writeStream(answer, {
    head,
    shape,
    includesUsage: body.stream_options?.include_usage === true,
    requestId,
    onError: (error) => {
      if (isServerFault(error)) log.error({ err: error, request_id: requestId }, "stream failed");
    },
  });
  return textStreamResponse(source, { contentType: "text/event-stream", headers, abort: abandon });
}

/** Waits for the whole answer. Its errors name the job too, so that what it delivered can be collected. */
async function whole(
  { signal, requestId }: Pick<JobCall, "signal" | "requestId">,
  { answer, headers, abandon }: OpenCall,
  write: (answer: WholeAnswer) => object,
): Promise<Response | { status: number; json: object; headers: Readonly<Record<string, string>> }> {
  signal.addEventListener("abort", abandon, { once: true });
  if (signal.aborted) abandon();
  try {
    return { status: 200, json: write(await readAnswer(answer)), headers };
  } catch (error) {
    if (isServerFault(error)) throw error;
    const response = problemResponse(error, requestId, OPENAI_ERRORS);
    for (const [name, value] of Object.entries(headers)) response.headers.set(name, value);
    return response;
  } finally {
    signal.removeEventListener("abort", abandon);
  }
}
