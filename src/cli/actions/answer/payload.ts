import { open, readFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { ArtifactCalls } from "../../../client/artifacts.ts";
import { AppError } from "../../../kernel/errors.ts";
import { type JsonValue, parseJson } from "../../../kernel/json.ts";
import { digestOf } from "../../../wire/artifacts.ts";
import { IMAGE_HEAD_BYTES, type ImageMediaType, imageTypeOf } from "../../../wire/images.ts";
import { JobPayload } from "../../../wire/jobs.ts";
import { MAX_BODY_BYTES } from "../../../wire/limits.ts";
import type { Io } from "../../io.ts";

/** How a model writes its answer; members of the payload, by the names of the options. */
export interface SamplingOptions {
  readonly model?: string;
  readonly maxTokens?: number;
  readonly temperature?: number;
  readonly topP?: number;
  readonly topK?: number;
  readonly minP?: number;
  readonly seed?: number;
  readonly stop?: readonly string[];
  readonly frequencyPenalty?: number;
  readonly presencePenalty?: number;
  readonly repeatPenalty?: number;
  readonly think?: true | "low" | "medium" | "high";
}

export interface PayloadOptions extends SamplingOptions {
  readonly system?: string;
  readonly raw?: boolean;
  readonly n?: number;
  readonly logprobs?: number | true;
  /** `json`, or `@` and a file with a JSON Schema. */
  readonly format?: string;
  readonly image?: readonly string[];
  readonly tool?: readonly string[];
  readonly toolChoice?: string;
  readonly contextTokens?: number;
}

/** An image that is about to be uploaded. */
interface ImageFile {
  readonly path: string;
  readonly mediaType: ImageMediaType;
}

/** A payload that lacks nothing but the names of its images. */
export interface PreparedPayload {
  /** Uploads what must be uploaded first, and returns the payload. @throws AppError INVALID_PAYLOAD, as uploads do */
  finish(artifacts: ArtifactCalls): Promise<JobPayload>;
}

/** The members of a payload that say how an answer is written. */
export function toSampling(options: SamplingOptions): Readonly<Record<string, unknown>> {
  return {
    model: options.model,
    max_tokens: options.maxTokens,
    temperature: options.temperature,
    top_p: options.topP,
    top_k: options.topK,
    min_p: options.minP,
    seed: options.seed,
    stop: options.stop,
    frequency_penalty: options.frequencyPenalty,
    presence_penalty: options.presencePenalty,
    repeat_penalty: options.repeatPenalty,
    think: options.think,
  };
}

/** Members whose value is there: JSON has no "undefined". */
export function present(members: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
}

/** Checks a payload as the daemon will. @throws AppError INVALID_PAYLOAD that names the member */
export function checkPayload(payload: Readonly<Record<string, unknown>>): JobPayload {
  const parsed = JobPayload.safeParse(present(payload));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const pointer = ["", "payload", ...(issue?.path ?? [])].join("/");
  throw new AppError("INVALID_PAYLOAD", `${pointer}: ${issue?.message ?? "is not allowed"}`, {
    meta: { pointer },
  });
}

/**
 * Reads the files that the options name, so that what is wrong with them is found before anything is sent.
 * @throws AppError INVALID_ARGUMENT for a file that cannot be read or is not what it should be, INVALID_PAYLOAD
 */
export async function preparePayload(
  io: Pick<Io, "cwd">,
  prompt: string,
  options: PayloadOptions,
): Promise<PreparedPayload> {
  const images = await Promise.all((options.image ?? []).map((file) => findImage(resolve(io.cwd, file))));
  const { system, raw } = options;
  if (raw && images.length > 0) throw new AppError("INVALID_ARGUMENT", "--raw takes no --image");
  const members = {
    type: "inference",
    ...toSampling(options),
    n: options.n,
    logprobs: options.logprobs === true ? 0 : options.logprobs,
    format: await readFormat(io, options.format),
    tools: options.tool && (await Promise.all(options.tool.map((file) => readTools(io, file)))).flat(),
    tool_choice: toToolChoice(options.toolChoice),
    context_tokens: options.contextTokens,
  };
  // Without its images a payload is checked here, so that none is uploaded in vain.
  const plain = checkPayload({ ...members, prompt, system, raw });
  if (images.length === 0) return { finish: async () => plain };
  return {
    async finish(artifacts) {
      const parts = [];
      for (const image of images) parts.push(await upload(artifacts, image));
      const user = { role: "user", content: [{ type: "text", text: prompt }, ...parts] };
      const first = system === undefined ? [] : [{ role: "system", content: system }];
      return checkPayload({ ...members, messages: [...first, user] });
    },
  };
}

async function findImage(path: string): Promise<ImageFile> {
  const head = Buffer.alloc(IMAGE_HEAD_BYTES);
  try {
    await using file = await open(path, "r");
    await file.read(head, 0, IMAGE_HEAD_BYTES, 0);
  } catch (cause) {
    throw unreadable(path, cause);
  }
  const mediaType = imageTypeOf(head);
  if (mediaType) return { path, mediaType };
  throw new AppError("INVALID_ARGUMENT", `${path} is no PNG, JPEG, GIF or WebP`);
}

async function upload(artifacts: ArtifactCalls, { path, mediaType }: ImageFile): Promise<object> {
  const { artifact } = await artifacts.put(path, mediaType);
  return { type: "image", sha256: digestOf(artifact), media_type: mediaType };
}

async function readFormat(io: Pick<Io, "cwd">, format: string | undefined): Promise<object | undefined> {
  if (format === undefined) return undefined;
  if (format === "json") return { type: "json" };
  const schema = await readJsonFile(io, format.slice(1));
  if (isObject(schema)) return { type: "json_schema", schema };
  throw new AppError("INVALID_ARGUMENT", `${format.slice(1)} holds no JSON Schema: it must be an object`);
}

/** The tools of a file: one or a list, as jobs name them or as OpenAI's API does. */
async function readTools(io: Pick<Io, "cwd">, file: string): Promise<readonly JsonValue[]> {
  const value = await readJsonFile(io, file);
  const tools = Array.isArray(value) ? value : [value];
  if (!tools.every(isObject)) throw new AppError("INVALID_ARGUMENT", `${file} holds no tools`);
  return tools.map((tool) => (isObject(tool) && isObject(tool["function"]) ? tool["function"] : tool));
}

function toToolChoice(choice: string | undefined): unknown {
  if (choice === undefined || ["auto", "none", "required"].includes(choice)) return choice;
  return { name: choice };
}

async function readJsonFile(io: Pick<Io, "cwd">, file: string): Promise<JsonValue> {
  const path = resolve(io.cwd, file);
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw unreadable(path, cause);
  });
  try {
    return parseJson(text, { maxBytes: MAX_BODY_BYTES });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new AppError("INVALID_ARGUMENT", `${path} holds no JSON: ${reason}`, { cause });
  }
}

const isObject = (value: JsonValue | undefined): value is { [name: string]: JsonValue } =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function unreadable(path: string, cause: unknown): AppError {
  const missing = cause instanceof Error && "code" in cause && cause.code === "ENOENT";
  return new AppError("INVALID_ARGUMENT", `${path} ${missing ? "does not exist" : "cannot be read"}`, {
    cause,
  });
}
