import type * as Llama from "node-llama-cpp";

/** The parts of node-llama-cpp that the engine uses; `esbuild.config.ts` puts exactly these into the single file. */
export type LlamaLibrary = Pick<
  typeof Llama,
  | "getLlama"
  | "resolveChatWrapper"
  | "GeneralChatWrapper"
  | "LlamaText"
  | "LlamaLogLevel"
  | "LlamaGrammarEvaluationState"
>;

/** Loads node-llama-cpp; where from is `app`'s business. */
export type LoadLlama = () => Promise<LlamaLibrary>;
