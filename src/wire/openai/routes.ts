import { BATCH_ROUTES } from "./batches.ts";
import { createChatCompletion } from "./chat.ts";
import { createCompletion } from "./completions.ts";
import { createEmbedding } from "./embeddings.ts";
import { FILE_ROUTES } from "./files.ts";
import { getOpenAiModel, listOpenAiModels } from "./models.ts";

export const OPENAI_ROUTES = [
  createChatCompletion,
  createCompletion,
  createEmbedding,
  listOpenAiModels,
  getOpenAiModel,
  ...FILE_ROUTES,
  ...BATCH_ROUTES,
] as const;
