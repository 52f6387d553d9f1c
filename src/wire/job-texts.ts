import type { JobPayload } from "./jobs.ts";

/** The texts that a client wrote into a payload: its prompt, its messages, its inputs. */
export function textsOf(payload: JobPayload): string[] {
  if (payload.type === "embedding") return payload.input;
  const messages = (payload.messages ?? []).flatMap(({ content }) =>
    typeof content === "string"
      ? [content]
      : content.flatMap((part) => (part.type === "text" ? [part.text] : [])),
  );
  return [...(payload.prompt === undefined ? [] : [payload.prompt]), ...messages];
}

/** The payload with other texts, in the order of `textsOf`. */
export function withTexts(payload: JobPayload, texts: readonly string[]): JobPayload {
  let at = 0;
  const next = (): string => texts[at++] ?? "";
  if (payload.type === "embedding") return { ...payload, input: payload.input.map(next) };
  const prompt = payload.prompt === undefined ? {} : { prompt: next() };
  const messages = payload.messages?.map((message) => ({
    ...message,
    content:
      typeof message.content === "string"
        ? next()
        : message.content.map((part) => (part.type === "text" ? { ...part, text: next() } : part)),
  }));
  return { ...payload, ...prompt, ...(messages && { messages }) };
}
