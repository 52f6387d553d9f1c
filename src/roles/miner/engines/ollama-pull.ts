import { z } from "zod";
import { AppError } from "../../../kernel/errors.ts";
import { type OllamaServerAddress, ollamaError, openOllama } from "./ollama-client.ts";

/** One line of a streamed pull. */
const PullPart = z.object({
  status: z.string(),
  digest: z.string().optional(),
  total: z.number().min(0).optional(),
  completed: z.number().min(0).optional(),
});

/** How far a pull has come. */
export interface PullProgress {
  /** The server's own words, as `pulling manifest`. */
  readonly status: string;
  /** Bytes of all layers known so far, and those that are there. */
  readonly total_bytes: number;
  readonly completed_bytes: number;
}

/**
 * Lets an Ollama server fetch a model from its library. An interrupted pull goes on where it was.
 * @throws AppError ENGINE_UNAVAILABLE, ENGINE_FAILED (the library has no such model, or the server broke off);
 * and the signal's reason.
 */
export async function pullModel(
  server: OllamaServerAddress,
  model: string,
  {
    signal,
    onProgress,
  }: { readonly signal: AbortSignal; readonly onProgress: (progress: PullProgress) => void },
): Promise<void> {
  const layers = new Map<string, { total: number; completed: number }>();
  const sum = (member: "total" | "completed"): number =>
    [...layers.values()].reduce((all, layer) => all + layer[member], 0);
  try {
    const client = await openOllama(server, signal);
    for await (const raw of await client.pull({ model, stream: true })) {
      const { status, digest, total, completed = 0 } = PullPart.parse(raw);
      if (digest !== undefined && total !== undefined) layers.set(digest, { total, completed });
      onProgress({ status, total_bytes: sum("total"), completed_bytes: sum("completed") });
      if (status === "success") return;
    }
    throw new AppError("ENGINE_FAILED", `the pull of ${model} ended in the middle`);
  } catch (error) {
    signal.throwIfAborted();
    throw ollamaError(error, `Ollama cannot pull ${model}`);
  }
}
