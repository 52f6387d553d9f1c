import type { RouteContract } from "../../../kernel/http/contract.ts";
import { textStreamResponse } from "../../../kernel/http/event-stream.ts";
import { isServerFault, problemResponse, toFailure } from "../../../kernel/http/problem.ts";
import { type Call, ok, type Reply, type Router } from "../../../kernel/http/router.ts";
import type { Access, Principal } from "../../../wire/access.ts";
import type { JobPayload } from "../../../wire/jobs.ts";
import { ollamaChat, ollamaGenerate } from "../../../wire/ollama/chat.ts";
import { OLLAMA_ERRORS } from "../../../wire/ollama/common.ts";
import { ollamaEmbed, ollamaEmbeddings } from "../../../wire/ollama/embed.ts";
import { ollamaPs, ollamaShow, ollamaTags, ollamaVersion } from "../../../wire/ollama/models.ts";
import { readAnswer, type WholeAnswer } from "../answers.ts";
import { type JobCall, type OpenCall, openCall } from "../call.ts";
import { toNumbers } from "../openai/embeddings.ts";
import { usualMaxTokens } from "../payload.ts";
import type { GatewayDeps } from "../ports.ts";
import {
  CHAT_LINE,
  GENERATE_LINE,
  type LineOptions,
  type LineShape,
  writeLines,
  writeLoaded,
} from "./lines.ts";
import { getModel, toOllamaModel, toRunningModel, toShownModel } from "./models.ts";
import {
  OLLAMA_NAMES,
  type OllamaJob,
  type Target,
  toChatJob,
  toEmbeddingPayload,
  toGenerateJob,
  toSeconds,
} from "./request.ts";
import { joinLines, type WholeLine } from "./whole.ts";

/** The version of Ollama whose API this is: front ends go by it. */
const OLLAMA_VERSION = "0.12.11";
const NDJSON = "application/x-ndjson";
const NS_PER_MS = 1_000_000;

type ApiRouter = Router<Access, Principal>;

/** The routes of Ollama's API. */
export function addOllamaRoutes(router: ApiRouter, deps: GatewayDeps): void {
  addModelRoutes(router, deps);
  router.on(ollamaChat, (call) => {
    const { messages } = call.body;
    const isEmpty = !messages || messages.length === 0;
    return answer(
      deps,
      ollamaChat,
      call,
      CHAT_LINE,
      isEmpty ? undefined : (target) => toChatJob(call.body, target),
    );
  });
  router.on(ollamaGenerate, (call) => {
    const { prompt, images } = call.body;
    const isEmpty = !prompt && (!images || images.length === 0);
    const make = isEmpty ? undefined : (target: Target) => toGenerateJob(call.body, target);
    return answer(deps, ollamaGenerate, call, GENERATE_LINE, make);
  });
  router.on(ollamaEmbed, async (call) => {
    const { model } = call.body;
    const startedAt = deps.clock.monotonic();
    const payload = toEmbeddingPayload(call.body, getModel(deps.coordinator, model).name);
    if (!payload) return ok({ model, embeddings: [] });
    return whole(deps, ollamaEmbed, call, payload, ({ embeddings, usage, receipt_id, units }) => ({
      model,
      embeddings: embeddings.map(toNumbers),
      total_duration: Math.round((deps.clock.monotonic() - startedAt) * NS_PER_MS),
      load_duration: 0,
      ...(usage && { prompt_eval_count: usage.prompt_tokens }),
      aitbc: { receipt_id, units },
    }));
  });
  router.on(ollamaEmbeddings, async (call) => {
    const { model, prompt, keep_alive } = call.body;
    const { name } = getModel(deps.coordinator, model);
    const payload = toEmbeddingPayload({ input: prompt ?? "", keep_alive }, name);
    if (!payload) return ok({ embedding: [] });
    return whole(deps, ollamaEmbeddings, call, payload, ({ embeddings }) => ({
      embedding: toNumbers(embeddings[0] ?? ""),
    }));
  });
}

function addModelRoutes(router: ApiRouter, { coordinator }: GatewayDeps): void {
  router.on(ollamaTags, () => ok({ models: coordinator.listModels().map(toOllamaModel) }));
  router.on(ollamaPs, () =>
    ok({ models: coordinator.listModels().flatMap((one) => toRunningModel(one) ?? []) }),
  );
  router.on(ollamaShow, ({ body: { model, name } }) =>
    ok(toShownModel(getModel(coordinator, model ?? name ?? ""))),
  );
  router.on(ollamaVersion, () => ok({ version: OLLAMA_VERSION }));
}

type AnswerCall = JobCall & {
  readonly body: Pick<Call<typeof ollamaChat, Principal>["body"], "model" | "stream" | "keep_alive">;
};

/** Answers a chat or a completion. `make` is undefined where nothing is asked. */
async function answer(
  deps: GatewayDeps,
  contract: RouteContract,
  call: AnswerCall,
  shape: LineShape,
  make: ((target: Target) => OllamaJob) | undefined,
): Promise<Response | Reply> {
  const { clock, coordinator } = deps;
  const { model, stream, keep_alive } = call.body;
  const options: LineOptions = { model, shape, clock, startedAt: clock.monotonic() };
  const { name } = getModel(coordinator, model);
  if (!make) return ok(writeLoaded(options, keep_alive == null ? undefined : toSeconds(keep_alive)));
  const target = { model: name, usualMaxTokens: usualMaxTokens(coordinator, name) };
  const { payload, images } = make(target);
  const job = await openCall(deps, contract, call, payload, { images, names: OLLAMA_NAMES });
  const lines = writeLines(job.answer, options);
  return told(call, job, async () => {
    if (stream === false) return { status: 200, json: joinLines(await readAll(lines)), headers: job.headers };
    // What goes wrong before the first line has a status of its own.
    const first = await lines.next();
    const source = writeNdjson(deps, call, first, lines);
    return textStreamResponse(source, { contentType: NDJSON, headers: job.headers, abort: job.abandon });
  });
}

async function* writeNdjson(
  { log }: GatewayDeps,
  { requestId }: JobCall,
  first: IteratorResult<object, void>,
  lines: AsyncGenerator<object, void, void>,
): AsyncGenerator<string, void, void> {
  try {
    if (!first.done) yield `${JSON.stringify(first.value)}\n`;
    for await (const line of lines) yield `${JSON.stringify(line)}\n`;
  } catch (error) {
    if (isServerFault(error)) log.error({ err: error, request_id: requestId }, "stream failed");
    yield `${JSON.stringify(OLLAMA_ERRORS.write(toFailure(error, requestId)).json)}\n`;
  }
}

async function readAll(lines: AsyncGenerator<object, void, void>): Promise<WholeLine[]> {
  const all: WholeLine[] = [];
  for await (const line of lines) all.push(line);
  return all;
}

async function whole(
  deps: GatewayDeps,
  contract: RouteContract,
  call: JobCall,
  payload: JobPayload,
  write: (answer: WholeAnswer) => object,
): Promise<Response | Reply> {
  const job = await openCall(deps, contract, call, payload, { names: OLLAMA_NAMES });
  return told(call, job, async () => ({
    status: 200,
    json: write(await readAnswer(job.answer)),
    headers: job.headers,
  }));
}

/** Does what a job's answer needs. When the caller goes, its job is abandoned; errors name the job too. */
async function told<Answered>(
  { signal, requestId }: JobCall,
  { headers, abandon }: OpenCall,
  work: () => Promise<Answered>,
): Promise<Answered | Response> {
  signal.addEventListener("abort", abandon, { once: true });
  if (signal.aborted) abandon();
  try {
    return await work();
  } catch (error) {
    if (isServerFault(error)) throw error;
    const response = problemResponse(error, requestId, OLLAMA_ERRORS);
    for (const [name, value] of Object.entries(headers)) response.headers.set(name, value);
    return response;
  }
}
