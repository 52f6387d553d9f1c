import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { type Genesis, genesisHash, genesisToJson, parseGenesis } from "../../../domain/ledger/genesis.ts";
import {
  DEFAULT_PARAMS,
  PARAM_NAMES,
  PARAMS,
  type ParamName,
  paramsToJson,
} from "../../../domain/ledger/params.ts";
import { parseAit } from "../../../domain/pricing/amount.ts";
import { AppError } from "../../../kernel/errors.ts";
import { printText } from "../../format.ts";
import { type Io, writeLine } from "../../io.ts";
import type { GlobalOptions } from "../../options.ts";
import { parsePin } from "../verify.ts";
import { warningsOf } from "./genesis.ts";

export interface CreateGenesisOptions extends GlobalOptions {
  readonly chainId: string;
  readonly validator?: readonly string[];
  readonly account?: readonly string[];
  readonly param?: readonly string[];
  readonly time?: string;
  readonly file?: string;
}

function refuse(detail: string, cause?: unknown): never {
  throw new AppError("INVALID_ARGUMENT", detail, { cause });
}

/** Writes a genesis file of the options, after reading it back as a node would. */
export async function createGenesis(io: Io, options: CreateGenesisOptions): Promise<void> {
  const genesis = genesisOf(options);
  const text = `${JSON.stringify(genesisToJson(genesis), null, 2)}\n`;
  if (options.file === undefined) await printText(io, text);
  else await write(resolve(io.cwd, options.file), text);
  writeLine(io.stderr, `genesis hash ${genesisHash(genesis)}`);
  for (const warning of warningsOf(genesis)) writeLine(io.stderr, `note: ${warning}`);
}

function genesisOf({
  chainId,
  validator = [],
  account = [],
  param = [],
  time,
}: CreateGenesisOptions): Genesis {
  if (validator.length === 0) refuse("a chain needs a validator: --validator KEY");
  const document = {
    v: 1,
    chain_id: chainId,
    time: parseTime(time),
    params: { ...paramsToJson(DEFAULT_PARAMS), ...Object.fromEntries(param.map(parseParam)) },
    validators: validator.map((key) => ({ public_key: parsePin("--validator", key) })),
    accounts: account.map(parseAccount),
  };
  return parseGenesis(JSON.stringify(document));
}

function parseTime(text: string | undefined): number {
  if (text === undefined) return Date.now();
  const time = /^\d{4}-\d\d-\d\dT/.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(time) ? refuse(`--time ${text} is no time like 2026-11-21T12:00:00Z`) : time;
}

function parseParam(text: string): readonly [name: ParamName, value: string | number] {
  const [given, value] = cut("--param", text);
  const name = PARAM_NAMES.find((each) => each === given);
  if (!name) return refuse(`--param ${given} is none of ${PARAM_NAMES.join(", ")}`);
  return [name, PARAMS[name].kind === "amount" ? value : Number(value)];
}

function parseAccount(text: string): {
  readonly address: string;
  readonly balance: string;
  readonly stake: string;
} {
  const [address, amounts] = cut("--account", text);
  const [balance = "", stake = "0", ...rest] = amounts.split("+");
  if (rest.length > 0) refuse(`--account ${text} is not address=ait or address=ait+stake`);
  return { address, balance: String(parseAit(balance)), stake: String(parseAit(stake)) };
}

function cut(flag: string, text: string): readonly [before: string, after: string] {
  const at = text.indexOf("=");
  return at > 0 ? [text.slice(0, at), text.slice(at + 1)] : refuse(`${flag} ${text} has no =`);
}

/** Writes a new file: a chain whose genesis is written over is another chain. */
async function write(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text, { flag: "wx" });
  } catch (cause) {
    const exists = cause instanceof Error && "code" in cause && cause.code === "EEXIST";
    refuse(`${path} ${exists ? "exists, and is left alone" : "cannot be written"}`, cause);
  }
}
