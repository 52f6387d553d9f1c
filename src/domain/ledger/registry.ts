/** Every type of transaction. */
import type { TransactionModule } from "./module.ts";
import { evidence } from "./modules/evidence.ts";
import { faucet } from "./modules/faucet.ts";
import { paramUpdate } from "./modules/param-update.ts";
import { stake } from "./modules/stake.ts";
import { transfer } from "./modules/transfer.ts";
import { unstake } from "./modules/unstake.ts";
import { validatorVote } from "./modules/validator-vote.ts";

const MODULES = [transfer, stake, unstake, validatorVote, paramUpdate, evidence, faucet] as const;

export type TransactionType = (typeof MODULES)[number]["type"];

/** Payload of each type, as it stands in documents. */
export type Payloads = {
  readonly [Module in (typeof MODULES)[number] as Module["type"]]: ReturnType<Module["readPayload"]>;
};

export const TRANSACTION_TYPES: readonly TransactionType[] = MODULES.map(({ type }) => type);

const BY_TYPE: ReadonlyMap<string, TransactionModule> = new Map(
  MODULES.map((module): [string, TransactionModule] => [module.type, module]),
);

/** The module of a type, or undefined for a type that no module has. */
export function findModule(type: string): TransactionModule | undefined {
  return BY_TYPE.get(type);
}
