import { sha256Hex } from "../../crypto/hash.ts";
import type { KeylessCapabilities } from "../../wire/miners.ts";
import type { MinerCapabilities, MinerModel } from "../../wire/session.ts";

/** Hex characters of a keyless miner's id: 128 bits. */
const ID_CHARACTERS = 32;

const PREFIX = "keyless-";

/** Whether an id is one of a miner that holds no key. */
export const isKeyless = (minerId: string | null): boolean => minerId?.startsWith(PREFIX) ?? false;

/**
 * The id of a miner that holds no key: opaque, the same for the same owner and name, and never the API key. It
 * begins with `keyless-`, so that whoever reads a receipt sees that `provider` is no address.
 */
export function keylessMinerId(ownerId: string, name: string): string {
  return `${PREFIX}${sha256Hex(`aitbc/keyless-miner/v1\0${ownerId}\0${name}`).slice(0, ID_CHARACTERS)}`;
}

/**
 * What existing miners say of their machine, as jobs are matched with it. A model has no digest here: nobody
 * shows which file runs, so its jobs are metered by bytes.
 */
export function toMinerCapabilities(said: KeylessCapabilities): MinerCapabilities {
  return {
    gpus: (said.gpus ?? []).map(({ name, memory_mb }) => ({ name, memory_mb: Math.floor(memory_mb ?? 0) })),
    cuda: said.cuda === undefined || said.cuda === null ? null : String(said.cuda),
    cpu: { name: "unknown", cores: 1 },
    memory_mb: 0,
    models: (said.models ?? []).map(toModel),
    price: said.price ?? null,
  };
}

function toModel(model: string | { readonly name: string }): MinerModel {
  const name = typeof model === "string" ? model : model.name;
  return {
    name,
    digest: "",
    context_tokens: 1,
    engine: "keyless",
    tokens_per_second: null,
    features: ["text"],
  };
}
