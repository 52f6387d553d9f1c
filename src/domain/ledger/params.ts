/** Parameters of a chain: set by its genesis file, changed by a quorum of its validators. */
import type { Canonicalizable } from "../../crypto/canonical-json.ts";
import { readMembers, refuse } from "../consensus/read.ts";
import { readAmount } from "./amount.ts";

interface Described {
  readonly about: string;
  /** Only the genesis file sets it. */
  readonly fixed?: true;
}
interface AmountParam extends Described {
  readonly kind: "amount";
  /** µAIT. */
  readonly max: bigint;
  readonly value: bigint;
}
interface IntegerParam extends Described {
  readonly kind: "integer";
  readonly min: number;
  readonly max: number;
  readonly value: number;
}

const DAY_SECONDS = 86_400;
/** 10 AIT: no fee is dearer, whatever validators agree on. */
const MAX_FEE = 10_000_000n;
const WHOLE_PPM = 1_000_000;

/** Every parameter, with its range and the value it has unless the genesis file says otherwise. */
export const PARAMS = {
  base_fee_uait: { kind: "amount", max: MAX_FEE, value: 10n, about: "fee of any transaction" },
  fee_per_byte_uait: { kind: "amount", max: MAX_FEE, value: 1n, about: "fee for each byte of a transaction" },
  max_block_bytes: {
    kind: "integer",
    // A block must hold the longest transaction, and fit a frame of 1 MiB together with a proof of lock.
    min: 131_072,
    max: 917_504,
    value: 524_288,
    about: "longest block, as text",
  },
  unbonding_seconds: {
    kind: "integer",
    min: 0,
    max: 365 * DAY_SECONDS,
    value: 14 * DAY_SECONDS,
    about: "time until unstaked money can be used; it can be slashed until then",
  },
  ballot_seconds: {
    kind: "integer",
    min: 60,
    max: 90 * DAY_SECONDS,
    value: 7 * DAY_SECONDS,
    about: "time in which validators must agree on a change",
  },
  equivocation_slash_ppm: {
    kind: "integer",
    min: 0,
    max: WHOLE_PPM,
    value: WHOLE_PPM,
    about: "part of a validator's stake that burns when it signs two blocks at one height",
  },
  faucet_max_uait: {
    kind: "amount",
    max: 10n ** 15n,
    value: 0n,
    fixed: true,
    about: "most that one FAUCET transaction makes; 0: there is no faucet",
  },
} as const satisfies Record<string, AmountParam | IntegerParam>;

export type ParamName = keyof typeof PARAMS;
export const PARAM_NAMES = Object.keys(PARAMS) as readonly ParamName[];

/** Values in force: amounts as bigint µAIT, all others as whole numbers. */
export type Params = {
  readonly [Name in ParamName]: (typeof PARAMS)[Name] extends AmountParam ? bigint : number;
};

/** Values as they stand in documents: amounts as decimal text. */
export type ParamsJson = {
  readonly [Name in ParamName]: (typeof PARAMS)[Name] extends AmountParam ? string : number;
};

/** Values where nothing else is said. */
export const DEFAULT_PARAMS: Params = Object.fromEntries(
  PARAM_NAMES.map((name) => [name, PARAMS[name].value]),
) as Params;

/** Reads all parameters. Throws INVALID_PAYLOAD. */
export function readParams(json: unknown, pointer: string): Params {
  const members = readMembers(json, pointer, PARAM_NAMES);
  return Object.fromEntries(
    PARAM_NAMES.map((name) => [name, fromJson(readParam(name, members[name], `${pointer}/${name}`))]),
  ) as Params;
}

/** Reads new values for some parameters, at least one and none that is fixed. Throws INVALID_PAYLOAD. */
export function readParamChanges(json: unknown, pointer: string): Partial<ParamsJson> {
  const members = readMembers(json, pointer, PARAM_NAMES, PARAM_NAMES);
  const names = PARAM_NAMES.filter((name) => members[name] !== undefined);
  if (names.length === 0) refuse(pointer, "at least one parameter");
  for (const name of names) {
    if ("fixed" in PARAMS[name]) refuse(`${pointer}/${name}`, "a parameter that can be changed");
    readParam(name, members[name], `${pointer}/${name}`);
  }
  // Each of them was just read.
  return members as Partial<ParamsJson>;
}

/** Parameters with some of them changed. */
export function withChanges(params: Params, changes: Partial<ParamsJson>): Params {
  const changed = Object.entries(changes).map(([name, value]) => [name, fromJson(value)]);
  return { ...params, ...Object.fromEntries(changed) } as Params;
}

/** Parameters as a document has them. */
export function paramsToJson(params: Params): Readonly<Record<string, Canonicalizable>> {
  return Object.fromEntries(
    PARAM_NAMES.map((name) => {
      const value = params[name];
      return [name, typeof value === "bigint" ? String(value) : value];
    }),
  );
}

const fromJson = (value: string | number): bigint | number =>
  typeof value === "string" ? BigInt(value) : value;

function readParam(name: ParamName, value: unknown, pointer: string): string | number {
  const param: AmountParam | IntegerParam = PARAMS[name];
  if (param.kind === "amount") {
    const amount = readAmount(value, pointer);
    return BigInt(amount) <= param.max ? amount : refuse(pointer, `at most ${param.max} µAIT`);
  }
  return Number.isSafeInteger(value) && Number(value) >= param.min && Number(value) <= param.max
    ? Number(value)
    : refuse(pointer, `a whole number from ${param.min} to ${param.max}`);
}
