import { z } from "zod";
import type { ErrorFormat } from "../../kernel/http/contract.ts";
import { MAX_LOGPROBS, MAX_STOP_CHARACTERS, MAX_STOP_STRINGS, MAX_TOKENS } from "../limits.ts";
import { maybe, refused } from "../openai/common.ts";
import { ModelName } from "../scalars.ts";

export { maybe, refused };

/** Largest body, in bytes: images travel in it. Without them it must fit a job. */
export const MAX_OLLAMA_BODY_BYTES = 20 * 1024 * 1024;

/** An error as Ollama's API writes it. */
const OllamaError = z.object({ error: z.string() }).meta({ id: "OllamaError" });

const BAD_REQUEST = 400;
const UNPROCESSABLE = 422;

/** Errors as Ollama's clients expect them: a text, and 400 for what is wrong in a body. */
export const OLLAMA_ERRORS: ErrorFormat = {
  schema: OllamaError,
  write: ({ detail, title, status, requestId }) => ({
    json: { error: detail ?? `${title}; say the request id ${requestId} when you ask about it` },
    status: status === UNPROCESSABLE ? BAD_REQUEST : status,
  }),
};

const BY_MINERS = "miners decide it themselves, leave it out";
const Penalty = z.number().min(-2).max(2);
const StopString = z.string().min(1).max(MAX_STOP_CHARACTERS);

/** Options of a run. What is not honoured is refused by its name. */
export const OllamaOptions = z.strictObject({
  temperature: maybe(z.number().min(0).max(2)).meta({ description: "Absent: the miner's usual one, 0.7" }),
  top_k: maybe(z.int().min(-1).max(1000)).meta({ description: "0 or less: the whole vocabulary" }),
  top_p: maybe(z.number().gt(0).max(1)),
  min_p: maybe(z.number().min(0).max(1)),
  repeat_penalty: maybe(z.number().min(0).max(2)),
  presence_penalty: maybe(Penalty),
  frequency_penalty: maybe(Penalty),
  seed: maybe(z.int()).meta({ description: "Below 0: a random one. Its lower 32 bits count" }),
  num_predict: maybe(z.int().min(-2).max(MAX_TOKENS)).meta({
    description:
      "Most tokens of the answer. 0 or less: 4096, or half of the model's context where that is less",
  }),
  num_ctx: maybe(z.int().min(1).max(MAX_TOKENS)).meta({
    description: "Least context that the model must have, in tokens",
  }),
  stop: maybe(z.union([StopString, z.array(StopString).max(MAX_STOP_STRINGS)])),
  num_keep: refused("nothing is cut from the beginning of a prompt here"),
  typical_p: refused("use top_p or min_p"),
  tfs_z: refused("use top_p or min_p"),
  repeat_last_n: refused("use repeat_penalty alone"),
  penalize_newline: refused("leave it out"),
  mirostat: refused("use temperature, top_p or min_p"),
  mirostat_tau: refused("use temperature, top_p or min_p"),
  mirostat_eta: refused("use temperature, top_p or min_p"),
  numa: refused(BY_MINERS),
  num_batch: refused(BY_MINERS),
  num_gpu: refused(BY_MINERS),
  main_gpu: refused(BY_MINERS),
  num_thread: refused(BY_MINERS),
  low_vram: refused(BY_MINERS),
  f16_kv: refused(BY_MINERS),
  vocab_only: refused(BY_MINERS),
  use_mmap: refused(BY_MINERS),
  use_mlock: refused(BY_MINERS),
  logits_all: refused("use logprobs"),
  embedding_only: refused("use /api/embed"),
});
export type OllamaOptions = z.infer<typeof OllamaOptions>;

/** Go's durations (time.ParseDuration), or seconds. */
const DURATION = /^-?(?:\d+|(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+)$/;
const KeepAlive = z.union([z.number(), z.string().max(64).regex(DURATION)], {
  error: 'must be seconds, or a duration such as "5m"; below 0: as long as can be',
});

/** What a chat, a completion and an embedding share. */
export const ANY = {
  model: ModelName.meta({ description: "With or without a tag; none means :latest" }),
  keep_alive: maybe(KeepAlive).meta({
    description: "How long the model should stay loaded; a wish, which not every engine knows",
  }),
};

/** A member by which a client forbids, as it is here, that what does not fit is silently left out. */
const whole = (instead: string) => maybe(z.literal(false, { error: `must be false: ${instead}` }));

export const NOT_CUT = whole("nothing is cut here, and too much is an error");

/** The members that a chat and a completion share. */
export const ANSWER = {
  ...ANY,
  stream: maybe(z.boolean()).meta({ description: "Absent: true" }),
  format: maybe(
    z.union([z.literal(""), z.literal("json"), z.record(z.string(), z.json())], {
      error: 'must be "json" or a JSON Schema',
    }),
  ),
  options: maybe(OllamaOptions),
  think: maybe(z.union([z.boolean(), z.enum(["low", "medium", "high"])])),
  logprobs: maybe(z.boolean()),
  top_logprobs: maybe(z.int().min(0).max(MAX_LOGPROBS)),
  truncate: NOT_CUT,
  shift: NOT_CUT,
};

/** Images of one message: far more than any model looks at. */
const MAX_IMAGES = 64;
export const Images = z
  .array(z.string().min(1))
  .max(MAX_IMAGES)
  .meta({ description: "PNG, JPEG, GIF or WebP, as base64" });

const Token = z.object({ token: z.string(), logprob: z.number(), bytes: z.array(z.int()).optional() });
export const OllamaLogprobs = z.array(Token.extend({ top_logprobs: z.array(Token).optional() }));
export type OllamaLogprobs = z.infer<typeof OllamaLogprobs>;

/** What the last line of an answer tells. Durations are nanoseconds. */
export const Counters = z.object({
  done_reason: z.string().optional().meta({ description: "stop, length, load or unload" }),
  total_duration: z.int().optional(),
  load_duration: z.int().optional().meta({ description: "0: what a miner needs for it is not known here" }),
  prompt_eval_count: z.int().optional(),
  prompt_eval_duration: z.int().optional().meta({ description: "From the call to the first piece" }),
  eval_count: z.int().optional(),
  eval_duration: z.int().optional(),
});
export type Counters = z.infer<typeof Counters>;
