import { formatAit } from "../../domain/pricing/amount.ts";
import type { OpenAiModel } from "../../wire/openai/models.ts";
import { formatTable } from "../format.ts";

/** Lays the models of a network out for people. */
export function formatModels(models: readonly OpenAiModel[]): string {
  if (models.length === 0) return "no miner offers a model now; aitbc miner start starts one";
  const rows = models.map(({ id, aitbc }) => [
    id,
    aitbc.miners,
    aitbc.context_tokens,
    aitbc.tokens_per_second,
    aitbc.loaded ? "yes" : "no",
    formatAit(BigInt(aitbc.price_uait_per_million_units)),
    aitbc.features.join(" "),
  ]);
  return formatTable(
    ["model", "miners", "context", "tokens/s", "loaded", "price/1M units", "features"],
    rows,
  );
}
