import { Ollama } from "ollama/browser";
import type { TestDaemon } from "./daemon.ts";

/** Ollama's own client, with a key as its users give it. */
export function ollamaClient({ url, keys }: TestDaemon, key = keys.client): Ollama {
  return new Ollama({ host: url, headers: { authorization: `Bearer ${key}` } });
}
