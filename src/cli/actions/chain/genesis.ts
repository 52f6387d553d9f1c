import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { startChain } from "../../../domain/ledger/block.ts";
import {
  type Genesis,
  genesisHash,
  genesisSupply,
  genesisToJson,
  MAX_GENESIS_BYTES,
  parseGenesis,
} from "../../../domain/ledger/genesis.ts";
import { PARAM_NAMES, PARAMS } from "../../../domain/ledger/params.ts";
import { formatAit } from "../../../domain/pricing/amount.ts";
import { AppError } from "../../../kernel/errors.ts";
import { formatRecord, formatTable, printResult } from "../../format.ts";
import { type Io, writeLine } from "../../io.ts";
import type { GlobalOptions } from "../../options.ts";
import { readInput } from "../../read-input.ts";

/** Fewest validators that go on when one of them fails. */
const FAULT_TOLERANT = 4;

async function read(io: Io, file: string): Promise<Genesis> {
  return parseGenesis(file === "-" ? await readInput(io, MAX_GENESIS_BYTES) : await readText(io, file));
}

async function readText(io: Io, file: string): Promise<string> {
  const path = resolve(io.cwd, file);
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw new AppError("INVALID_ARGUMENT", `${path} cannot be read`, { cause });
  }
}

/** What a genesis may be, and is seldom meant to be. */
export function warningsOf({ validators, accounts, params }: Genesis): readonly string[] {
  const rich = new Set(accounts.map(({ address }) => address));
  const poor = validators.validators.filter(({ address }) => !rich.has(address));
  return [
    ...(validators.size < FAULT_TOLERANT
      ? [`with fewer than ${FAULT_TOLERANT} validators the chain stops when one of them does`]
      : []),
    ...(poor.length > 0
      ? [
          `without money a validator cannot vote on changes before it earns fees: ${poor.map(({ address }) => address).join(", ")}`,
        ]
      : []),
    ...(params.faucet_max_uait > 0n ? ["the chain has a faucet: it is for development"] : []),
    ...(accounts.length === 0 ? ["nobody has any money"] : []),
  ];
}

/** Prints the hash alone. */
export async function hashGenesis(io: Io, file: string, options: GlobalOptions): Promise<void> {
  const genesis = await read(io, file);
  const { head } = startChain(genesis);
  const hashes = { genesis_hash: head.hash, state_root: head.state.root };
  await printResult(io, options.output ?? "table", hashes, () => head.hash);
}

/** Says whether a file can begin a chain; one that cannot fails with what is wrong and where. */
export async function validateGenesis(io: Io, file: string, options: GlobalOptions): Promise<void> {
  const genesis = await read(io, file);
  const warnings = warningsOf(genesis);
  const result = { valid: true, genesis_hash: genesisHash(genesis), warnings };
  await printResult(io, options.output ?? "table", result, () => `valid: the chain ${genesis.chainId}`);
  if (options.output === undefined) for (const warning of warnings) writeLine(io.stderr, `note: ${warning}`);
}

/** Says what a file contains. */
export async function showGenesis(io: Io, file: string, options: GlobalOptions): Promise<void> {
  const genesis = await read(io, file);
  await printResult(io, options.output ?? "table", genesisToJson(genesis), () => describe(genesis));
}

function describe(genesis: Genesis): string {
  const { chainId, time, params, validators, accounts } = genesis;
  const { size, quorum } = validators;
  const summary = formatRecord([
    ["chain", chainId],
    ["begins", new Date(time).toISOString()],
    ["genesis hash", genesisHash(genesis)],
    ["supply", formatAit(genesisSupply(accounts))],
    ["validators", `${size}; ${quorum} of them decide`],
  ]);
  const sections = [
    summary,
    formatTable(
      ["validator", "public key"],
      validators.validators.map((each) => [each.address, each.public_key]),
    ),
    formatTable(
      ["account", "balance", "stake"],
      accounts.map(({ address, balance, stake }) => [address, formatAit(balance), formatAit(stake)]),
    ),
    formatTable(
      ["parameter", "value", "is"],
      PARAM_NAMES.map((name) => [name, params[name], PARAMS[name].about]),
    ),
  ];
  return sections.join("\n\n");
}
