import type OpenAI from "openai";
import type { TestDaemon } from "./daemon.ts";
import { poll } from "./poll.ts";

/** A line of a batch's input. */
export interface Line {
  readonly custom_id: string;
  readonly body: object;
  readonly url?: string;
}

export const CHATS = "/v1/chat/completions";

/** Lines as a file has them. */
export const toJsonl = (lines: readonly Line[]): string =>
  lines.map((line) => `${JSON.stringify({ method: "POST", url: CHATS, ...line })}\n`).join("");

/** A chat of one message. */
export const chat = (model: string, content: string, rest: object = {}): object => ({
  model,
  messages: [{ role: "user", content }],
  temperature: 0,
  ...rest,
});

/** Uploads text as a file, with OpenAI's own client. */
export function upload(
  openai: OpenAI,
  text: string | Uint8Array<ArrayBuffer>,
  purpose: "batch" | "user_data" = "batch",
): Promise<OpenAI.FileObject> {
  return openai.files.create({ file: new File([text], "input.jsonl"), purpose });
}

/** Starts a batch of a text. */
export async function startBatch(
  openai: OpenAI,
  text: string,
  endpoint: OpenAI.BatchCreateParams["endpoint"] = CHATS,
): Promise<OpenAI.Batch> {
  const { id } = await upload(openai, text);
  return openai.batches.create({ input_file_id: id, endpoint, completion_window: "24h" });
}

/** Asks until a batch is as wanted. */
export function untilBatch(
  openai: OpenAI,
  id: string,
  is: (batch: OpenAI.Batch) => boolean,
): Promise<OpenAI.Batch> {
  return poll(() => openai.batches.retrieve(id), is);
}

const ENDED = ["failed", "completed", "expired", "cancelled"];

export const untilEnded = (openai: OpenAI, id: string): Promise<OpenAI.Batch> =>
  untilBatch(openai, id, ({ status }) => ENDED.includes(status));

export interface OutputLine {
  readonly id: string;
  readonly custom_id: string;
  readonly response: { status_code: number; request_id: string; body: Record<string, unknown> } | null;
  readonly error: { code: string; message: string } | null;
}

/** The lines of an output or error file; none where there is no file. */
export async function readOutput(openai: OpenAI, fileId: string | null | undefined): Promise<OutputLine[]> {
  if (!fileId) return [];
  const text = await (await openai.files.content(fileId)).text();
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as OutputLine);
}

/** Jobs that were ever made of a batch's lines. */
export const countJobs = (daemon: TestDaemon): number =>
  daemon.query<{ n: number }>("select count(*) as n from coordinator_job")[0]?.n ?? 0;
