/** The header of a block: what its hash, and so every vote for it, commits to. */
import { canonicalizeSigned } from "../../crypto/canonical-json.ts";
import { sha256Hex } from "../../crypto/hash.ts";
import { ADDRESS, HASH, readInteger, readMembers, readOneOf, readText } from "./read.ts";

export const HEADER_VERSION = 1;

/** What a chain may be called. */
export const CHAIN_ID = /^[a-z0-9][a-z0-9._-]{0,63}$/;

/** Hashes are lower-case hex of SHA-256. */
export type Header = {
  readonly version: typeof HEADER_VERSION;
  readonly chain_id: string;
  /** From 1; the genesis file stands for height 0. */
  readonly height: number;
  /** Hash of the header below; of the genesis file at height 1. */
  readonly parent_hash: string;
  /** Unix time in ms, above the parent's. */
  readonly time: number;
  /** Address of the validator that made the block, and gets its fees. Others may propose it again. */
  readonly proposer: string;
  /** Merkle root (RFC 6962) over the transactions' texts. */
  readonly tx_root: string;
  readonly results_root: string;
  readonly receipt_root: string;
  /** Root of the state after this block. */
  readonly state_root: string;
  /** Hash of the validator set that decides this block. */
  readonly validators_hash: string;
  /** Hash of the set that decides the next one: known before this block, since changes wait two heights. */
  readonly next_validators_hash: string;
  /** Hash of the certificate of the block below; NO_COMMIT_HASH at height 1. */
  readonly last_commit_hash: string;
};

const NAMES = [
  "version",
  "chain_id",
  "height",
  "parent_hash",
  "time",
  "proposer",
  "tx_root",
  "results_root",
  "receipt_root",
  "state_root",
  "validators_hash",
  "next_validators_hash",
  "last_commit_hash",
] as const satisfies readonly (keyof Header)[];

/** Hash of a header, which is the block's: SHA-256 (hex) of its canonical form. */
export function headerHash(header: Header): string {
  return sha256Hex(canonicalizeSigned(header));
}

/** Reads a header from parsed JSON. Throws INVALID_PAYLOAD with `meta.pointer`. */
export function readHeader(value: unknown, pointer = ""): Header {
  const members = readMembers(value, pointer, NAMES);
  const hash = (name: keyof Header): string => readText(members[name], `${pointer}/${name}`, HASH);
  return {
    version: readOneOf(members.version, `${pointer}/version`, [HEADER_VERSION]),
    chain_id: readText(members.chain_id, `${pointer}/chain_id`, CHAIN_ID),
    height: readInteger(members.height, `${pointer}/height`, 1),
    parent_hash: hash("parent_hash"),
    time: readInteger(members.time, `${pointer}/time`),
    proposer: readText(members.proposer, `${pointer}/proposer`, ADDRESS),
    tx_root: hash("tx_root"),
    results_root: hash("results_root"),
    receipt_root: hash("receipt_root"),
    state_root: hash("state_root"),
    validators_hash: hash("validators_hash"),
    next_validators_hash: hash("next_validators_hash"),
    last_commit_hash: hash("last_commit_hash"),
  };
}
