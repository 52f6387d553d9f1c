import { AppError } from "../../../kernel/errors.ts";
import { compiledInUse } from "../../../kernel/http/compiled-schema.ts";
import { MAX_MODELS } from "../../../wire/limits.ts";
import { Window } from "./child/window.ts";
import {
  checkRequest,
  type EmbedRequest,
  type Engine,
  type EngineModel,
  type EngineProbe,
  type EngineRequest,
  type EngineResult,
  type RunOptions,
} from "./engine.ts";
import { EngineJob } from "./engine-job.ts";
import { WINDOW_CHUNKS } from "./frames.ts";
import { AnswerEvent, AnswerReader, EmbeddingsAnswer } from "./openai-answer.ts";
import { getJson, type OpenAiServer, openAiError, postJson, postStream } from "./openai-client.ts";
import { DIALECTS, type OpenAiModel, parseModels, type ServerSettings } from "./openai-models.ts";
import { OPENAI_MEMBERS, toCall } from "./openai-request.ts";
import { encodeVector } from "./vector.ts";

/** Longest time in which the models are listed, in ms: the server may stand on the other side of the world. */
const LIST_MS = 10_000;

export interface OpenAiOptions extends OpenAiServer {
  readonly settings: ServerSettings;
}

type AnyRequest = EngineRequest | EmbedRequest;

/** The openai engine: the models of a server that speaks OpenAI's API, run there. */
export class OpenAiEngine implements Engine {
  readonly name = "openai";
  readonly #options: OpenAiOptions;
  readonly #open = new Set<EngineJob<AnyRequest>>();
  /** The models that were on offer last, by name. */
  #models: ReadonlyMap<string, OpenAiModel> = new Map();
  #disposed = false;

  constructor(options: OpenAiOptions) {
    this.#options = options;
  }

  async probe(): Promise<EngineProbe> {
    const { url } = this.#options;
    try {
      const [model] = await this.#list();
      return { available: true, version: model ? `${model.kind} at ${url}` : `no model at ${url}` };
    } catch (error) {
      return { available: false, reason: `${url}: ${openAiError(error).message}` };
    }
  }

  /** Asks the server. @throws AppError ENGINE_UNAVAILABLE, ENGINE_FAILED */
  async models(): Promise<readonly EngineModel[]> {
    const models = (await this.#list()).slice(0, MAX_MODELS);
    this.#models = new Map(models.map((model) => [model.name, model]));
    return models.map(({ kind: _, ...model }) => model);
  }

  async run(request: EngineRequest, options: RunOptions): Promise<EngineResult> {
    checkRequest(request, OPENAI_MEMBERS);
    const call = toCall(request, this.#dialectOf(request.model));
    return this.#start(request, options, async (job, signal) => {
      const window = new Window(WINDOW_CHUNKS);
      job.stopSignal.addEventListener("abort", () => window.open(), { once: true });
      const reader = new AnswerReader();
      for await (const raw of postStream(this.#options, call.path, call.body, signal)) {
        job.stopSignal.throwIfAborted();
        for (const piece of reader.read(compiledInUse(AnswerEvent).parse(raw))) {
          job.deliver(piece, () => window.taken());
          await window.sent();
        }
      }
      return reader.result;
    });
  }

  async embed(request: EmbedRequest, options: RunOptions): Promise<EngineResult> {
    const { model, input, dimensions } = request;
    const body = { model, input, encoding_format: "base64", ...(dimensions !== undefined && { dimensions }) };
    return this.#start(request, options, async (job, signal) => {
      const answer = EmbeddingsAnswer.parse(await postJson(this.#options, "/embeddings", body, signal));
      const vectors = answer.data.toSorted((a, b) => a.index - b.index);
      if (vectors.length !== input.length || vectors.some(({ index }, at) => index !== at)) {
        throw new AppError(
          "ENGINE_FAILED",
          `the server did not make one vector of each of ${input.length} inputs`,
        );
      }
      for (const { index: choice, embedding } of vectors) {
        const vector = typeof embedding === "string" ? embedding : encodeVector(embedding);
        job.deliver({ choice, embedding: vector }, () => {});
      }
      return { finish_reason: "stop", prompt_tokens: answer.usage?.prompt_tokens ?? 0, completion_tokens: 0 };
    });
  }

  /** Running jobs fail with SHUTTING_DOWN; the server runs on. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    for (const job of this.#open) job.fail(stopping());
  }

  async #list(): Promise<OpenAiModel[]> {
    try {
      const answer = await getJson(this.#options, "/models", AbortSignal.timeout(LIST_MS));
      return parseModels(answer, this.#options.settings);
    } catch (error) {
      throw openAiError(error);
    }
  }

  #dialectOf(model: string): (typeof DIALECTS)[keyof typeof DIALECTS] {
    const known = this.#models.get(model);
    const dialect = DIALECTS[known?.kind ?? this.#options.settings.kind ?? "other"];
    // Whoever says that the server continues means what most of them do that can.
    if (this.#options.settings.continues === true && dialect.continues === "no") {
      return { ...dialect, continues: "itself" };
    }
    return dialect;
  }

  #start<Request extends AnyRequest>(
    request: Request,
    options: RunOptions,
    answer: (job: EngineJob<Request>, signal: AbortSignal) => Promise<EngineResult>,
  ): Promise<EngineResult> {
    options.signal.throwIfAborted();
    if (this.#disposed) throw stopping();
    // The signal ends the call at its deadline, and nothing on this machine is left to kill.
    const job = new EngineJob(request, options, () => {});
    this.#open.add(job);
    void this.#work(job, answer);
    return job.outcome.finally(() => this.#open.delete(job));
  }

  async #work<Request>(
    job: EngineJob<Request>,
    answer: (job: EngineJob<Request>, signal: AbortSignal) => Promise<EngineResult>,
  ): Promise<void> {
    const end = new AbortController();
    try {
      job.complete(await answer(job, AbortSignal.any([job.stopSignal, end.signal])));
    } catch (error) {
      job.fail(openAiError(error));
    } finally {
      end.abort(READ);
      job.letGo();
    }
  }
}

/** Why a call ends whose answer is there: without a reason each end would cost an exception with its stack. */
const READ = "the answer was read";

function stopping(): AppError {
  return new AppError("SHUTTING_DOWN", "the engine stops");
}
