import { createLlamaEngine, type LlamaEngine, type LlamaOptions } from "./llama.ts";

/** The model that ships with the program. */
export const BUILTIN_MODEL = "aitbc-tiny";

/** One thread: the model is so small that handing its work around would take longer than doing it. */
const THREADS = 1;

/** The built-in engine: the llama engine on the model that ships with the program, at `modelPath`. */
export function createBuiltinEngine(
  options: Pick<LlamaOptions, "command" | "runtimeVersion" | "modelPath" | "slots" | "idleMs" | "log">,
): LlamaEngine {
  return createLlamaEngine({
    ...options,
    name: "builtin",
    model: BUILTIN_MODEL,
    threads: THREADS,
    contextTokens: null,
    gpu: false,
  });
}
