import { AppError } from "../../../kernel/errors.ts";
import { compiledInUse } from "../../../kernel/http/compiled-schema.ts";
import { MAX_MODELS } from "../../../wire/limits.ts";
import { Window } from "./child/window.ts";
import {
  checkRequest,
  type EmbedRequest,
  type Engine,
  type EngineModel,
  type EnginePiece,
  type EngineProbe,
  type EngineRequest,
  type EngineResult,
  type RunOptions,
} from "./engine.ts";
import { EngineJob } from "./engine-job.ts";
import { WINDOW_CHUNKS } from "./frames.ts";
import { AnswerEvent, AnswerReader, EmbeddingsAnswer } from "./openai-answer.ts";
import { OpenAiClient, type OpenAiServer, openAiError } from "./openai-client.ts";
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
  readonly #client: OpenAiClient;
  readonly #open = new Set<EngineJob<AnyRequest>>();
  /** The models that were on offer last, by name. */
  #models: ReadonlyMap<string, OpenAiModel> = new Map();
  #disposed = false;

  constructor(options: OpenAiOptions) {
    this.#options = options;
    this.#client = new OpenAiClient(options);
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
    return this.#start(request, options, async (job) => {
      const window = new Window(WINDOW_CHUNKS);
      const reader = new AnswerReader();
      await this.#client.postStream(call.path, call.body, job.stopSignal, (event) =>
        deliver(job, window, reader.read(compiledInUse(AnswerEvent).parse(event)).values()),
      );
      return reader.result;
    });
  }

  async embed(request: EmbedRequest, options: RunOptions): Promise<EngineResult> {
    const { model, input, dimensions } = request;
    const body = { model, input, encoding_format: "base64", ...(dimensions !== undefined && { dimensions }) };
    return this.#start(request, options, async (job) => {
      const answer = EmbeddingsAnswer.parse(await this.#client.postJson("/embeddings", body, job.stopSignal));
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
    this.#client.close();
  }

  async #list(): Promise<OpenAiModel[]> {
    try {
      const answer = await this.#client.getJson("/models", AbortSignal.timeout(LIST_MS));
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
    answer: (job: EngineJob<Request>) => Promise<EngineResult>,
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
    answer: (job: EngineJob<Request>) => Promise<EngineResult>,
  ): Promise<void> {
    try {
      job.complete(await answer(job));
    } catch (error) {
      job.fail(openAiError(error));
    } finally {
      job.letGo();
    }
  }
}

/** Hands over the rest of an event's pieces. The promise, if any, resolves when the next event may come. */
function deliver(
  job: EngineJob<EngineRequest>,
  window: Window,
  rest: IterableIterator<EnginePiece>,
): Promise<void> | undefined {
  for (const piece of rest) {
    job.deliver(piece, () => window.taken());
    const room = window.sent();
    // What is left of an array's iterator can still be read.
    if (room) return room.then(() => deliver(job, window, rest));
  }
  return undefined;
}

function stopping(): AppError {
  return new AppError("SHUTTING_DOWN", "the engine stops");
}
