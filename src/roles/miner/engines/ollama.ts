import type { Ollama } from "ollama/browser";
import { AppError } from "../../../kernel/errors.ts";
import type { Log } from "../../../kernel/log.ts";
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
import { AnswerPart, AnswerReader, EmbedAnswer, loadOf } from "./ollama-answer.ts";
import { findDeaf, type OllamaServerAddress, ollamaError, openOllama } from "./ollama-client.ts";
import { type ListedModel, parsePs, parseShow, parseTags, tellsLogprobs } from "./ollama-models.ts";
import { type PullProgress, pullModel } from "./ollama-pull.ts";
import { chatMembers, commonMembers, OLLAMA_MEMBERS } from "./ollama-request.ts";
import { encodeVector } from "./vector.ts";

/** Longest wait for a server that may not exist, in ms: one on this machine answers in a few. */
const PROBE_MS = 500;
/** Longest time in which all models are listed, in ms: the server reads a small file for each. */
const LIST_MS = 10_000;
/** Lines in the log for one pull. */
const PULL_STEPS = 10;
/** Models asked about at once: enough to hide the way there and back. */
const SHOWN_AT_ONCE = 8;

export interface OllamaOptions extends OllamaServerAddress {
  /** Context per job in tokens; null takes the model's, within a bound. */
  readonly contextTokens: number | null;
  /** Models that are pulled where they are missing. */
  readonly pull: readonly string[];
  /** Whether nobody misses the server where it is not there. */
  readonly optional: boolean;
  readonly log: Log;
}

/** The Ollama engine: every model of an Ollama server, run there. */
export class OllamaEngine implements Engine {
  readonly name = "ollama";
  readonly optional: boolean;
  readonly #options: OllamaOptions;
  readonly #open = new Set<EngineJob<EngineRequest | EmbedRequest>>();
  /** What the server told about models, by name and digest: a digest's answer never changes. */
  readonly #shown = new Map<string, EngineModel | undefined>();
  /** The models that were on offer last, by name. */
  #models: ReadonlyMap<string, EngineModel> = new Map();
  /** All models on the server; undefined before it was asked. */
  #listed: ReadonlySet<string> | undefined;
  /** Models whose pull was tried. */
  readonly #tried = new Set<string>();
  #tellsLogprobs = false;
  #disposed = false;

  constructor(options: OllamaOptions) {
    this.#options = options;
    this.optional = options.optional;
  }

  async probe(): Promise<EngineProbe> {
    const { url } = this.#options;
    const deaf = await findDeaf(url, PROBE_MS);
    if (deaf !== undefined) return { available: false, reason: `nothing answers at ${url}: ${deaf}` };
    try {
      const client = await openOllama(this.#options, AbortSignal.timeout(PROBE_MS));
      const { version } = await client.version();
      this.#tellsLogprobs = tellsLogprobs(version);
      return { available: true, version: `ollama ${version}` };
    } catch (error) {
      return { available: false, reason: `${url}: ${ollamaError(error, "Ollama").message}` };
    }
  }

  /** Asks the server. @throws AppError ENGINE_UNAVAILABLE, ENGINE_FAILED */
  async models(): Promise<readonly EngineModel[]> {
    try {
      const client = await openOllama(this.#options, AbortSignal.timeout(LIST_MS));
      const listed = parseTags(await client.list()).slice(0, MAX_MODELS);
      this.#listed = new Set(listed.map(({ name }) => name));
      const running = await client.ps().then(parsePs, () => undefined);
      const models: EngineModel[] = [];
      for (let at = 0; at < listed.length; at += SHOWN_AT_ONCE) {
        const slice = listed.slice(at, at + SHOWN_AT_ONCE);
        const shown = await Promise.all(slice.map((model) => this.#show(client, model)));
        models.push(
          ...shown.filter((model) => model !== undefined).map((model) => this.#now(model, running)),
        );
      }
      this.#models = new Map(models.map((model) => [model.name, model]));
      return models;
    } catch (error) {
      throw ollamaError(error, "Ollama's models");
    }
  }

  /** Pulls the models that the configuration names. One that fails is not tried again by this process. */
  async prepare(signal: AbortSignal): Promise<boolean> {
    if (!this.#listed) return false;
    let pulled = false;
    for (const model of this.#options.pull) {
      if (this.#tried.has(model) || this.#listed.has(model) || this.#listed.has(`${model}:latest`)) continue;
      this.#tried.add(model);
      pulled = (await this.#pull(model, signal)) || pulled;
    }
    return pulled;
  }

  async run(request: EngineRequest, options: RunOptions): Promise<EngineResult> {
    checkRequest(request, OLLAMA_MEMBERS);
    return this.#start(request, options, (client, job) => this.#answer(client, job));
  }

  async embed(request: EmbedRequest, options: RunOptions): Promise<EngineResult> {
    return this.#start(request, options, (client, job) => this.#embed(client, job));
  }

  /** Running jobs fail with SHUTTING_DOWN; the server runs on. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    for (const job of this.#open) job.fail(stopping());
  }

  async #pull(model: string, signal: AbortSignal): Promise<boolean> {
    const { log } = this.#options;
    let step = 0;
    const onProgress = ({ status, total_bytes, completed_bytes }: PullProgress): void => {
      const reached = total_bytes > 0 ? Math.floor((completed_bytes / total_bytes) * PULL_STEPS) : 0;
      if (reached <= step) return;
      step = reached;
      log.info({ model, status, total_bytes, completed_bytes }, "model is being pulled");
    };
    try {
      await pullModel(this.#options, model, { signal, onProgress });
      log.info({ model }, "model was pulled");
      return true;
    } catch (error) {
      if (signal.aborted) throw error;
      log.warn({ model, err: error }, "model cannot be pulled");
      return false;
    }
  }

  /** undefined for a model that is of no use here, and for one that is gone or broken. */
  async #show(client: Ollama, listed: ListedModel): Promise<EngineModel | undefined> {
    const key = `${listed.name} ${listed.digest}`;
    if (this.#shown.has(key)) return this.#shown.get(key);
    try {
      const answer = await client.show({ model: listed.name });
      const model = parseShow(listed, answer, this.#options.contextTokens);
      this.#shown.set(key, model);
      return model;
    } catch (error) {
      this.#options.log.debug({ engine: this.name, model: listed.name, err: error }, "model is not offered");
      return undefined;
    }
  }

  /** A model as it stands now. */
  #now({ features, ...model }: EngineModel, running: ReadonlySet<string> | undefined): EngineModel {
    return {
      ...model,
      features: this.#tellsLogprobs ? features : features.filter((feature) => feature !== "logprobs"),
      ...(running && { loaded: running.has(model.name) }),
    };
  }

  #start<Request extends EngineRequest | EmbedRequest>(
    request: Request,
    options: RunOptions,
    answer: (client: Ollama, job: EngineJob<Request>) => Promise<EngineResult>,
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
    answer: (client: Ollama, job: EngineJob<Request>) => Promise<EngineResult>,
  ): Promise<void> {
    const end = new AbortController();
    const signal = AbortSignal.any([job.stopSignal, end.signal]);
    try {
      const client = await openOllama(this.#options, signal);
      job.complete(await answer(client, job));
    } catch (error) {
      job.fail(ollamaError(error, "Ollama broke off"));
    } finally {
      end.abort();
      job.letGo();
    }
  }

  async #answer(client: Ollama, job: EngineJob): Promise<EngineResult> {
    const window = new Window(WINDOW_CHUNKS);
    job.stopSignal.addEventListener("abort", () => window.open(), { once: true });
    const reader = new AnswerReader(job.request.logprobs !== undefined);
    for await (const raw of await this.#ask(client, job.request)) {
      job.stopSignal.throwIfAborted();
      const part = AnswerPart.parse(raw);
      for (const piece of reader.read(part)) {
        job.deliver(piece, () => window.taken());
        await window.sent();
      }
      if (part.done) return reader.result(part);
    }
    throw new AppError("ENGINE_FAILED", "Ollama ended its answer in the middle");
  }

  #ask(client: Ollama, request: EngineRequest): Promise<AsyncIterable<unknown>> {
    const { model, messages, prompt = "", prefix } = request;
    const common = commonMembers(request, this.#models.get(model)?.context_tokens);
    return messages === undefined
      ? client.generate({ ...common, prompt: prompt + prefix, raw: true })
      : client.chat({ ...common, ...chatMembers(request) });
  }

  async #embed(client: Ollama, job: EngineJob<EmbedRequest>): Promise<EngineResult> {
    const { model, input, dimensions, keep_alive_seconds } = job.request;
    const answer = await client.embed({
      model,
      input: [...input],
      truncate: false,
      ...(dimensions !== undefined && { dimensions }),
      ...(keep_alive_seconds !== undefined && { keep_alive: keep_alive_seconds }),
    });
    const { embeddings, prompt_eval_count = 0, load_duration } = EmbedAnswer.parse(answer);
    if (embeddings.length !== input.length) {
      throw new AppError(
        "ENGINE_FAILED",
        `Ollama made ${embeddings.length} vectors of ${input.length} inputs`,
      );
    }
    for (const [choice, vector] of embeddings.entries()) {
      job.deliver({ choice, embedding: encodeVector(vector) }, () => {});
    }
    return {
      finish_reason: "stop",
      prompt_tokens: prompt_eval_count,
      completion_tokens: 0,
      ...loadOf(load_duration),
    };
  }
}

function stopping(): AppError {
  return new AppError("SHUTTING_DOWN", "the engine stops");
}
