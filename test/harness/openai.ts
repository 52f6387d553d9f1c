import OpenAI from "openai";
import type { TestDaemon } from "./daemon.ts";

/** OpenAI's own client, as its users make it. It repeats nothing by itself, unless the test says so. */
export function openAiClient(
  daemon: TestDaemon,
  options: Partial<ConstructorParameters<typeof OpenAI>[0]> = {},
): OpenAI {
  return new OpenAI({
    baseURL: `${daemon.url}/v1`,
    apiKey: daemon.keys.client,
    maxRetries: 0,
    ...options,
  });
}

/** A call as bytes: what a client of any kind sends. */
export function post(
  daemon: TestDaemon,
  path: string,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
  signal?: AbortSignal,
): Promise<Response> {
  return fetch(`${daemon.url}/v1${path}`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${daemon.keys.client}`,
      "content-type": "application/json",
      ...headers,
    },
    body: typeof body === "string" ? body : JSON.stringify(body),
    ...(signal && { signal }),
  });
}

/** Starts reading a stream and returns the text up to and with the first part that contains `mark`. */
export async function readTo(reader: ReadableStreamDefaultReader<Uint8Array>, mark: string): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  while (!text.includes(mark)) {
    const { done, value } = await reader.read();
    if (done) throw new Error(`the stream ended before ${mark}: ${text}`);
    text += decoder.decode(value, { stream: true });
  }
  return text;
}
