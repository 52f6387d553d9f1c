/**
 * The frames between an engine and its child process, JSON over Node's IPC channel. Both ends are this
 * program, yet both check what comes: the child runs native code on strangers' input.
 */
import { z } from "zod";
import { DELTA_FINISH_REASONS } from "../../../domain/job/deltas.ts";
import { AppError, type ErrorCode, isErrorCode } from "../../../kernel/errors.ts";

/** Pieces that a child sends before it waits for `taken`: enough to hide the way there and back. */
export const WINDOW_CHUNKS = 32;

const Id = z.int().min(1);
const Count = z.int().min(0);

const Message = z.strictObject({
  role: z.enum(["system", "user", "assistant", "tool"]),
  content: z.string(),
  images: z
    .array(z.strictObject({ media_type: z.string(), data: z.string() }))
    .readonly()
    .exactOptional(),
  tool_calls: z
    .array(z.strictObject({ id: z.string(), name: z.string(), arguments: z.string() }))
    .readonly()
    .exactOptional(),
  tool_call_id: z.string().exactOptional(),
});

const JsonObject = z.record(z.string(), z.unknown());

const Request = z.strictObject({
  model: z.string(),
  messages: z.array(Message).readonly().exactOptional(),
  prompt: z.string().exactOptional(),
  prefix: z.string(),
  max_tokens: z.int().min(1),
  temperature: z.number(),
  top_p: z.number().exactOptional(),
  top_k: z.int().exactOptional(),
  min_p: z.number().exactOptional(),
  frequency_penalty: z.number().exactOptional(),
  presence_penalty: z.number().exactOptional(),
  repeat_penalty: z.number().exactOptional(),
  seed: z.int().exactOptional(),
  stop: z.array(z.string()).readonly().exactOptional(),
  logprobs: z.int().min(0).exactOptional(),
  format: z
    .discriminatedUnion("type", [
      z.strictObject({ type: z.literal("json") }),
      z.strictObject({ type: z.literal("json_schema"), schema: JsonObject }),
    ])
    .exactOptional(),
  tools: z
    .array(
      z.strictObject({
        name: z.string(),
        description: z.string().exactOptional(),
        parameters: JsonObject.exactOptional(),
      }),
    )
    .readonly()
    .exactOptional(),
  tool_choice: z
    .union([z.enum(["auto", "none", "required"]), z.strictObject({ name: z.string() })])
    .exactOptional(),
  think: z.union([z.boolean(), z.enum(["low", "medium", "high"])]).exactOptional(),
  keep_alive_seconds: z.int().min(0).exactOptional(),
});

const EmbedRequest = z.strictObject({
  model: z.string(),
  input: z.array(z.string()).readonly(),
  dimensions: z.int().exactOptional(),
  keep_alive_seconds: z.int().min(0).exactOptional(),
});

/** GPU backends of llama.cpp, best first. */
export const BACKENDS = ["cuda", "vulkan", "metal"] as const;
const Backend = z.enum(BACKENDS);
export type Backend = z.infer<typeof Backend>;

/** What a child loads. */
const ModelSetup = z.strictObject({
  model_path: z.string().min(1),
  /** Jobs at once; each has `context_tokens`. */
  slots: z.int().min(1),
  threads: z.int().min(1),
  context_tokens: z.int().min(1),
  /** `false` computes on the processor. */
  gpu: z.union([z.literal(false), Backend]),
});
export type ModelSetup = z.infer<typeof ModelSetup>;

export const ParentFrame = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("load"), setup: ModelSetup }),
  /** Look for the GPUs of a backend, and load nothing. */
  z.strictObject({ type: z.literal("find_gpus"), gpu: Backend }),
  z.strictObject({ type: z.literal("run"), id: Id, request: Request }),
  z.strictObject({ type: z.literal("embed"), id: Id, request: EmbedRequest }),
  /** One piece was taken: the child may send another. */
  z.strictObject({ type: z.literal("taken"), id: Id }),
  z.strictObject({ type: z.literal("abort"), id: Id }),
  z.strictObject({ type: z.literal("exit") }),
]);
export type ParentFrame = z.infer<typeof ParentFrame>;

const Code = z.custom<ErrorCode>(isErrorCode);

const logprob = {
  token: z.string(),
  logprob: z.number(),
  bytes: z.array(z.int()).readonly().exactOptional(),
};

/** The deltas that a child makes. */
const Delta = z.strictObject({
  choice: Count.exactOptional(),
  text: z.string().exactOptional(),
  tool_call: z
    .strictObject({
      index: Count,
      id: z.string().exactOptional(),
      name: z.string().exactOptional(),
      arguments: z.string().exactOptional(),
    })
    .exactOptional(),
  logprobs: z
    .array(z.strictObject({ ...logprob, top: z.array(z.strictObject(logprob)).readonly().exactOptional() }))
    .readonly()
    .exactOptional(),
  embedding: z.string().exactOptional(),
});

export const ChildFrame = z.discriminatedUnion("type", [
  /** The GPUs are found, and the model is loaded where one was named. */
  z.strictObject({
    type: z.literal("ready"),
    /** Names of the GPUs; none on the processor. */
    devices: z.array(z.string()).readonly(),
    /** The model's layers, and those of them that a GPU computes; 0 without a model. */
    layers: Count,
    gpu_layers: Count,
  }),
  /** The model cannot be loaded, or no GPU be found; the child ends. */
  z.strictObject({ type: z.literal("unusable"), code: Code, detail: z.string() }),
  z.strictObject({ type: z.literal("chunk"), id: Id, piece: z.union([z.string().min(1), Delta]) }),
  z.strictObject({
    type: z.literal("done"),
    id: Id,
    finish_reason: z.enum(DELTA_FINISH_REASONS),
    prompt_tokens: Count,
    completion_tokens: Count,
    cached_tokens: Count.exactOptional(),
  }),
  z.strictObject({ type: z.literal("failed"), id: Id, code: Code, detail: z.string() }),
  z.strictObject({ type: z.literal("aborted"), id: Id }),
]);
export type ChildFrame = z.infer<typeof ChildFrame>;

/** Parses a frame. @throws AppError PROTOCOL_VIOLATION. Never shows the frame itself: it may hold a prompt. */
export function parseFrame<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new AppError(
    "PROTOCOL_VIOLATION",
    `engine frame: /${issue?.path.join("/") ?? ""}: ${issue?.code ?? ""}`,
  );
}
