import type { KnownModel } from "../../../wire/models.ts";
import type { OpenAiModel } from "../../../wire/openai/models.ts";

const MS_PER_SECOND = 1000;
/** Models have no owner here: anybody may offer one. */
const OWNER = "aitbc";

/** Writes a model as OpenAI's API does. */
export function toOpenAiModel({ name, first_seen_at, offers, ...known }: KnownModel): OpenAiModel {
  const speeds = offers.flatMap(({ tokens_per_second }) => tokens_per_second ?? []);
  return {
    id: name,
    object: "model",
    created: Math.floor(first_seen_at / MS_PER_SECOND),
    owned_by: OWNER,
    aitbc: {
      miners: offers.length,
      features: [...new Set(offers.flatMap(({ features }) => features))].sort(),
      context_tokens: offers.length === 0 ? null : Math.max(...offers.map((offer) => offer.context_tokens)),
      tokens_per_second: speeds.length === 0 ? null : Math.max(...speeds),
      engines: [...new Set(offers.map(({ engine }) => engine))].sort(),
      digests: [...new Set(offers.map(({ digest }) => digest))].sort(),
      loaded: offers.some(({ loaded }) => loaded === true),
      price_uait_per_million_units: known.price_uait_per_million_units,
    },
  };
}
