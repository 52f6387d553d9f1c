import { ollamaChat, ollamaGenerate } from "./chat.ts";
import { ollamaEmbed, ollamaEmbeddings } from "./embed.ts";
import { ollamaPs, ollamaShow, ollamaTags, ollamaVersion } from "./models.ts";

export const OLLAMA_ROUTES = [
  ollamaChat,
  ollamaGenerate,
  ollamaEmbed,
  ollamaEmbeddings,
  ollamaTags,
  ollamaShow,
  ollamaPs,
  ollamaVersion,
] as const;
