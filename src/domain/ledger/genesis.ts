/** The genesis file: what a chain begins with. Its hash is the realm of everything that is signed for the chain. */
import { fromBase64Url, fromHex } from "../../crypto/bytes.ts";
import { type Canonicalizable, canonicalizeSigned, parseStrictJson } from "../../crypto/canonical-json.ts";
import { PUBLIC_KEY_BYTES } from "../../crypto/ed25519.ts";
import { sha256Hex } from "../../crypto/hash.ts";
import { CHAIN_ID } from "../consensus/header.ts";
import {
  PUBLIC_KEY,
  readInteger,
  readList,
  readMembers,
  readOneOf,
  readText,
  refuse,
} from "../consensus/read.ts";
import { MAX_VALIDATORS, ValidatorSet } from "../consensus/validator-set.ts";
import { accountKey, readHolder } from "./account.ts";
import { ISSUE_LIMIT, readAmount, sum } from "./amount.ts";
import { BALLOTS_KEY } from "./ballots.ts";
import { Draft } from "./draft.ts";
import { type Params, paramsToJson, readParams } from "./params.ts";
import { PARAMS_KEY, VALIDATORS_KEY } from "./schedule.ts";
import { LedgerState } from "./state.ts";
import { SUPPLY_KEY } from "./supply.ts";
import { beginTerm } from "./validator-terms.ts";

/** An account's money at the start, in µAIT. */
export interface GenesisAccount {
  readonly address: string;
  readonly balance: bigint;
  readonly stake: bigint;
}

export interface Genesis {
  readonly chainId: string;
  /** Unix ms. The first block is later. */
  readonly time: number;
  readonly params: Params;
  readonly validators: ValidatorSet;
  /** Each address once. */
  readonly accounts: readonly GenesisAccount[];
}

/** Longest genesis file, in bytes: some 70,000 accounts. */
export const MAX_GENESIS_BYTES = 8 * 1024 * 1024;

const MAX_ACCOUNTS = 100_000;

/** Reads a genesis file, however it is indented. Throws INVALID_PAYLOAD, or as the JSON parser does. */
export function parseGenesis(text: string): Genesis {
  const names = ["v", "chain_id", "time", "params", "validators", "accounts"] as const;
  const members = readMembers(parseStrictJson(text, { maxBytes: MAX_GENESIS_BYTES }), "", names);
  readOneOf(members.v, "/v", [1]);
  const genesis: Genesis = {
    chainId: readText(members.chain_id, "/chain_id", CHAIN_ID),
    time: readInteger(members.time, "/time", 1),
    params: readParams(members.params, "/params"),
    validators: new ValidatorSet(readList(members.validators, "/validators", MAX_VALIDATORS, readValidator)),
    accounts: readList(members.accounts, "/accounts", MAX_ACCOUNTS, readAccount),
  };
  checkAccounts(genesis.accounts);
  return genesis;
}

function readValidator(json: unknown, pointer: string): Uint8Array {
  const { public_key } = readMembers(json, pointer, ["public_key"]);
  return fromBase64Url(
    "public_key",
    readText(public_key, `${pointer}/public_key`, PUBLIC_KEY),
    PUBLIC_KEY_BYTES,
  );
}

function readAccount(json: unknown, pointer: string): GenesisAccount {
  const { address, balance, stake } = readMembers(json, pointer, ["address", "balance", "stake"]);
  return {
    address: readHolder(address, `${pointer}/address`),
    balance: BigInt(readAmount(balance, `${pointer}/balance`)),
    stake: BigInt(readAmount(stake, `${pointer}/stake`)),
  };
}

function checkAccounts(accounts: readonly GenesisAccount[]): void {
  if (new Set(accounts.map(({ address }) => address)).size !== accounts.length) {
    refuse("/accounts", "each address once");
  }
  if (genesisSupply(accounts) >= ISSUE_LIMIT) refuse("/accounts", "less than 2^62 µAIT in all");
}

/** µAIT that a chain begins with. */
export function genesisSupply(accounts: readonly GenesisAccount[]): bigint {
  return sum(accounts.map(({ balance, stake }) => balance + stake));
}

/** A genesis as a document: accounts by address, validators by theirs, so that one content has one hash. */
export function genesisToJson({ chainId, time, params, validators, accounts }: Genesis): Canonicalizable {
  return {
    v: 1,
    chain_id: chainId,
    time,
    params: paramsToJson(params),
    validators: validators.validators.map(({ public_key }) => ({ public_key })),
    accounts: accounts
      .toSorted((a, b) => (a.address < b.address ? -1 : 1))
      .map(({ address, balance, stake }) => ({ address, balance: String(balance), stake: String(stake) })),
  };
}

/** Hash of a genesis: SHA-256 (hex) of the canonical form of `genesisToJson`. */
export function genesisHash(genesis: Genesis): string {
  return sha256Hex(canonicalizeSigned(genesisToJson(genesis)));
}

/** Realm of all that is signed for the chain: the 32 bytes of the genesis hash. */
export function genesisRealm(genesis: Genesis): Uint8Array {
  return fromHex("genesis hash", genesisHash(genesis));
}

/** The state that a chain begins with. */
export function genesisState({ params, validators, accounts }: Genesis): LedgerState {
  const draft = new Draft(LedgerState.empty);
  draft.put(SUPPLY_KEY, { genesis: genesisSupply(accounts), minted: 0n, burned: 0n });
  draft.put(PARAMS_KEY, { next: params, after: params });
  draft.put(VALIDATORS_KEY, { next: validators, after: validators });
  draft.put(BALLOTS_KEY, []);
  for (const { address, public_key } of validators.validators) beginTerm(draft, address, public_key, 1);
  for (const { address, balance, stake } of accounts) {
    draft.put(accountKey(address), { balance, nonce: 0, stake, unbonding: [] });
  }
  return draft.commit();
}
