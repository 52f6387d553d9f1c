import type { Feature, ToolCall } from "../../../domain/job/answer.ts";
import type { AnswerDelta, DeltaFinishReason } from "../../../domain/job/deltas.ts";
import { AppError } from "../../../kernel/errors.ts";

/** A model that an engine can run. */
export interface EngineModel {
  readonly name: string;
  /** `sha256:` and the hash of the model's file. */
  readonly digest: string;
  /** Tokens that prompt and answer of one job may have together. */
  readonly context_tokens: number;
  /** What engine and model can do together. */
  readonly features: readonly Feature[];
  /** Whether it is in memory now; absent where the engine cannot tell. */
  readonly loaded?: boolean;
  /** False where a run cannot begin with a prefix. */
  readonly continues?: boolean;
}

export interface EngineImage {
  /** Such as `image/png`. */
  readonly media_type: string;
  /** The file, as base64. */
  readonly data: string;
}

export interface EngineMessage {
  readonly role: "system" | "user" | "assistant" | "tool";
  readonly content: string;
  readonly images?: readonly EngineImage[];
  /** Calls that the assistant made. */
  readonly tool_calls?: readonly ToolCall[];
  /** The call that a message of the role `tool` answers. */
  readonly tool_call_id?: string;
}

export interface EngineTool {
  readonly name: string;
  readonly description?: string;
  /** JSON Schema of the arguments. */
  readonly parameters?: Readonly<Record<string, unknown>>;
}

/** What one run asks for: `messages` or `prompt`, never both. */
export interface EngineRequest {
  readonly model: string;
  /** A conversation, written out with the model's own chat template. */
  readonly messages?: readonly EngineMessage[];
  /** Raw text, completed as it stands: no template is applied. */
  readonly prompt?: string;
  /** Text of the answer that is already delivered: the run goes on right after it. Empty at the start. */
  readonly prefix: string;
  /** Most tokens this run adds, at least 1. */
  readonly max_tokens: number;
  /** 0 is greedy: the same request gives the same text. At most 2. */
  readonly temperature: number;
  /** Above 0, at most 1; absent means 1. */
  readonly top_p?: number;
  /** Absent or 0 means the whole vocabulary. */
  readonly top_k?: number;
  /** 0 to 1; absent means 0. */
  readonly min_p?: number;
  /** −2 to 2; absent means 0. */
  readonly frequency_penalty?: number;
  readonly presence_penalty?: number;
  /** 0 to 2; absent means 1. */
  readonly repeat_penalty?: number;
  /** 0 to 2^32 − 1; absent means a random one. */
  readonly seed?: number;
  /** The answer ends before the first of these. */
  readonly stop?: readonly string[];
  /** Tell the probability of each token, with so many alternatives, 0 to 20. */
  readonly logprobs?: number;
  /** The answer is JSON, or JSON of this schema. */
  readonly format?:
    | { readonly type: "json" }
    | { readonly type: "json_schema"; readonly schema: Readonly<Record<string, unknown>> };
  readonly tools?: readonly EngineTool[];
  /** Absent means `auto`. */
  readonly tool_choice?: "auto" | "none" | "required" | { readonly name: string };
  /** Whether the model thinks before it answers, and how much; absent: what never thinks. */
  readonly think?: boolean | "low" | "medium" | "high";
  /** How long the model should stay loaded; a wish, which an engine may not know. */
  readonly keep_alive_seconds?: number;
}

/** What a run of `embed` asks for. */
export interface EmbedRequest {
  readonly model: string;
  readonly input: readonly string[];
  /** Length of the vectors, where the model leaves the choice. */
  readonly dimensions?: number;
  readonly keep_alive_seconds?: number;
}

export interface EngineResult {
  /**
   * `stop`: the model ended its answer, or a stop string came. `length`: max_tokens or the context is used up.
   * `tool_calls`: it waits for the tools that it called.
   */
  readonly finish_reason: DeltaFinishReason;
  /** Tokens of prompt and prefix. */
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  /** Those of `prompt_tokens` that an earlier run had left in memory; absent where nobody can tell. */
  readonly cached_tokens?: number;
  /** How long the model had to be loaded for this run, in ms; absent where it was there, or nobody can tell. */
  readonly load_ms?: number;
}

/** A piece of an answer: text, or what text alone cannot say. `choice` is set only by `embed`. */
export type EnginePiece = string | AnswerDelta;

export interface RunOptions {
  /** Stops the run; `run` rejects with its reason at once, and the engine stops at its next token. */
  readonly signal: AbortSignal;
  /**
   * Takes the next piece of the answer; its text is never empty and never ends inside a character. A promise makes
   * the engine wait: it writes at most a bounded number of pieces ahead.
   */
  readonly onChunk: (piece: EnginePiece) => void | Promise<void>;
  /** Longest time of the run in milliseconds, waiting for a free slot included. */
  readonly deadlineMs: number;
  /** Where the run may keep files. Absent where no job is behind the run (a benchmark). */
  readonly workDirectory?: WorkDirectory;
}

/** A directory for the files of one job, bounded in size and removed when the job ends. */
export interface WorkDirectory {
  /** Its path; made (mode 0700) at the first call. @throws AppError CACHE_UNUSABLE when it cannot be made */
  path(): Promise<string>;
}

export type EngineProbe =
  | { readonly available: true; readonly version: string }
  | { readonly available: false; readonly reason: string };

/** Something that runs models. */
export interface Engine {
  readonly name: string;
  /** Whether the engine is only used where it happens to be there: nobody has to hear that it is not. */
  readonly optional?: boolean;
  /** Whether the engine could run here. Starts nothing. */
  probe(): Promise<EngineProbe>;
  /** The models on offer. @throws AppError ENGINE_UNAVAILABLE when a model's file cannot be read. */
  models(): Promise<readonly EngineModel[]>;
  /**
   * Runs one request.
   * @throws AppError MODEL_NOT_FOUND, UNSUPPORTED_FEATURE (names the member), INVALID_PAYLOAD (a value, or more
   * input than the context holds), ENGINE_UNAVAILABLE (it does not start), ENGINE_FAILED (it broke; another try
   * may help), TIMEOUT (past deadlineMs), SHUTTING_DOWN; and whatever the signal's reason is.
   */
  run(request: EngineRequest, options: RunOptions): Promise<EngineResult>;
  /**
   * Makes a vector of each input, in their order, as deltas with `choice` and `embedding`. There where a model of
   * the engine has the feature `embedding`. @throws as `run`
   */
  embed?(request: EmbedRequest, options: RunOptions): Promise<EngineResult>;
  /**
   * Gets models that the configuration asks for and that are missing; true when there are new ones. Called again
   * and again. @throws AppError what hinders it, once
   */
  prepare?(signal: AbortSignal): Promise<boolean>;
  /** Changes how many jobs run at once, where the engine itself bounds that. Running jobs go on. */
  resize?(slots: number): void;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Members of a request that every engine understands, or may ignore. */
const COMMON_MEMBERS: ReadonlySet<string> = new Set([
  "model",
  "messages",
  "prompt",
  "prefix",
  "max_tokens",
  "temperature",
  "top_p",
  "top_k",
  "seed",
  "stop",
  "tool_choice",
  "keep_alive_seconds",
] satisfies (keyof EngineRequest)[]);

/** Highest temperature: what existing APIs allow. */
const MAX_TEMPERATURE = 2;
/** The sampler takes 32 bits. */
const MAX_SEED = 2 ** 32 - 1;
/** Stop strings of one request: each is looked for after every token. */
const MAX_STOPS = 16;
/** Characters of one stop string: so much text is held back while it could still be its beginning. */
const MAX_STOP_CHARS = 256;

/**
 * Checks what a schema of the wire cannot know: that every member asked for is understood (`also` names those that
 * this engine knows beyond the common ones), and every value in its range.
 * @throws AppError UNSUPPORTED_FEATURE or INVALID_PAYLOAD, naming the member.
 */
export function checkRequest(request: EngineRequest, also: readonly (keyof EngineRequest)[] = []): void {
  const known: ReadonlySet<string> = new Set([...COMMON_MEMBERS, ...also]);
  for (const [member, value] of Object.entries(request)) {
    if (value !== undefined && value !== false && !known.has(member)) {
      throw new AppError("UNSUPPORTED_FEATURE", `the engine does not support ${member}`, {
        meta: { member },
      });
    }
  }
  const { messages, prompt, max_tokens, temperature, top_p = 1, top_k = 0, seed = 0, stop = [] } = request;
  ensure("messages", (messages === undefined) !== (prompt === undefined), "give messages or prompt");
  ensure("messages", messages === undefined || messages.length > 0, "must not be empty");
  ensure("max_tokens", Number.isSafeInteger(max_tokens) && max_tokens >= 1, "must be at least 1");
  ensure(
    "temperature",
    temperature >= 0 && temperature <= MAX_TEMPERATURE,
    `must be 0 to ${MAX_TEMPERATURE}`,
  );
  ensure("top_p", top_p > 0 && top_p <= 1, "must be above 0 and at most 1");
  ensure("top_k", Number.isSafeInteger(top_k) && top_k >= 0, "must be a whole number of at least 0");
  ensure("seed", Number.isSafeInteger(seed) && seed >= 0 && seed <= MAX_SEED, `must be 0 to ${MAX_SEED}`);
  ensure("stop", stop.length <= MAX_STOPS, `at most ${MAX_STOPS} strings`);
  for (const text of stop) {
    ensure(
      "stop",
      text.length > 0 && text.length <= MAX_STOP_CHARS,
      `1 to ${MAX_STOP_CHARS} characters each`,
    );
  }
}

function ensure(member: keyof EngineRequest, holds: boolean, what: string): void {
  if (!holds) throw new AppError("INVALID_PAYLOAD", `${member}: ${what}`, { meta: { member } });
}
