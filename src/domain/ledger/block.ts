/**
 * Blocks over the ledger: produce (choose transactions and state the roots), validate (rules and signatures),
 * apply (pure). Votes and certificates are consensus' business.
 */
import { canonicalizeSigned } from "../../crypto/canonical-json.ts";
import { AppError } from "../../kernel/errors.ts";
import { type Block, formatBlock, textsRoot } from "../consensus/block.ts";
import { type Certificate, certificateHash } from "../consensus/certificate.ts";
import { HEADER_VERSION, type Header, headerHash } from "../consensus/header.ts";
import type { ValidatorSet } from "../consensus/validator-set.ts";
import { BlockExecution, type BlockOutcome } from "./block-execution.ts";
import { type Genesis, genesisHash, genesisRealm, genesisState } from "./genesis.ts";
import type { Params } from "./params.ts";
import { PARAMS_KEY, VALIDATORS_KEY } from "./schedule.ts";
import { verifyTransaction } from "./signing.ts";
import type { LedgerState } from "./state.ts";
import { parseTransaction, type Transaction } from "./transaction.ts";

/** What stays the same in all blocks of a chain. */
export interface Chain {
  readonly chainId: string;
  /** Genesis hash, 32 bytes. */
  readonly realm: Uint8Array;
}

/** A final block, and the state after it. */
export interface Head {
  readonly height: number;
  /** Hash of the block; of the genesis at height 0. */
  readonly hash: string;
  /** Header time, Unix ms. */
  readonly time: number;
  readonly state: LedgerState;
}

/** What one block did. */
export interface Applied extends Pick<BlockOutcome, "results"> {
  readonly head: Head;
}

/** The chain that a genesis begins, and its head before the first block. */
export function startChain(genesis: Genesis): { readonly chain: Chain; readonly head: Head } {
  const { chainId, time } = genesis;
  const head = { height: 0, hash: genesisHash(genesis), time, state: genesisState(genesis) };
  return { chain: { chainId, realm: genesisRealm(genesis) }, head };
}

/** What is in force at the height above a head. */
export interface Rules {
  readonly params: Params;
  readonly validators: ValidatorSet;
  /** Of the height after that. */
  readonly nextValidators: ValidatorSet;
}

/** What is in force at the height above a head. */
export function rulesAbove({ state }: Head): Rules {
  const [validators, params] = [state.find(VALIDATORS_KEY), state.find(PARAMS_KEY)];
  if (!validators || !params) throw new AppError("INTERNAL", "the state has no validators or parameters");
  return { params: params.next, validators: validators.next, nextValidators: validators.after };
}

/** What the maker of a block decides. */
export interface BlockPlan {
  /** Unix ms, above the parent's. */
  readonly time: number;
  /** Address of the validator that makes the block. */
  readonly proposer: string;
  /** Certificate of the block below; null at height 1. */
  readonly lastCommit: Certificate | null;
}

/**
 * Makes the next block of those candidates, in their order, that can be included and for which there is room.
 * The signatures of the candidates must have been verified.
 */
export function produceBlock(
  chain: Chain,
  head: Head,
  plan: BlockPlan,
  candidates: Iterable<Transaction>,
): { readonly block: Block; readonly applied: Applied } {
  const execution = new BlockExecution(chain, head, plan);
  const empty = toBlock(chain, head, plan, [], new BlockExecution(chain, head, plan).finish());
  let room = execution.params.max_block_bytes - formatBlock(empty).length;
  const transactions: string[] = [];
  for (const candidate of candidates) {
    // As one more text of a list in JSON, with a comma.
    const size = canonicalizeSigned(candidate.text).length + 1;
    if (size > room || execution.add(candidate) !== undefined) continue;
    transactions.push(candidate.text);
    room -= size;
  }
  const outcome = execution.finish();
  const block = toBlock(chain, head, plan, transactions, outcome);
  return { block, applied: toApplied(block, outcome) };
}

/**
 * Applies a block: every transaction must be includable, and every root of the header right. Signatures are not
 * looked at: for a block that a quorum has voted for. Throws INVALID_BLOCK.
 */
export function applyBlock(chain: Chain, head: Head, block: Block): Applied {
  return run(chain, head, block, block.transactions.map(parse));
}

/**
 * Checks a block against all rules of the ledger, signatures of its transactions included, and applies it.
 * `isVerified`: whether the signatures of a transaction with this text have been verified before, as the mempool
 * does. Throws INVALID_BLOCK.
 */
export function validateBlock(
  chain: Chain,
  head: Head,
  block: Block,
  isVerified: (text: string) => boolean = () => false,
): Applied {
  const transactions = block.transactions.map(parse);
  transactions.forEach((transaction, index) => {
    if (isVerified(transaction.text) || verifyTransaction(transaction, chain.realm)) return;
    refuse(`transaction ${index} is not signed by its sender`);
  });
  return run(chain, head, block, transactions);
}

function run(chain: Chain, head: Head, block: Block, transactions: readonly Transaction[]): Applied {
  const { header } = block;
  if (header.time <= head.time) refuse("its time is not above its parent's");
  const plan = { time: header.time, proposer: header.proposer, lastCommit: block.last_commit };
  const execution = new BlockExecution(chain, head, plan);
  if (!execution.validators.has(header.proposer)) refuse("its maker is no validator");
  if (formatBlock(block).length > execution.params.max_block_bytes)
    refuse("it is larger than max_block_bytes");
  transactions.forEach((transaction, index) => {
    const refusal = execution.add(transaction);
    if (refusal) refuse(`transaction ${index} cannot be included: ${refusal}`);
  });
  const outcome = execution.finish();
  const { header: expected } = toBlock(chain, head, plan, block.transactions, outcome);
  // Both have exactly the members of a header.
  const differing = (Object.keys(expected) as (keyof Header)[]).find(
    (name) => header[name] !== expected[name],
  );
  if (differing) refuse(`${differing} is not what the ledger gives`);
  return toApplied(block, outcome);
}

function toBlock(
  { chainId }: Chain,
  head: Head,
  { time, proposer, lastCommit }: BlockPlan,
  transactions: readonly string[],
  outcome: BlockOutcome,
): Block {
  const { validators, nextValidators } = rulesAbove(head);
  const header: Header = {
    version: HEADER_VERSION,
    chain_id: chainId,
    height: head.height + 1,
    parent_hash: head.hash,
    time,
    proposer,
    tx_root: textsRoot(transactions),
    results_root: textsRoot(outcome.results.map((result) => canonicalizeSigned(result))),
    receipt_root: textsRoot(outcome.receipts),
    state_root: outcome.state.root,
    validators_hash: validators.hash,
    next_validators_hash: nextValidators.hash,
    last_commit_hash: certificateHash(lastCommit),
  };
  return { header, transactions, last_commit: lastCommit };
}

function toApplied({ header }: Block, { state, results }: BlockOutcome): Applied {
  return { head: { height: header.height, hash: headerHash(header), time: header.time, state }, results };
}

function parse(text: string, index: number): Transaction {
  try {
    return parseTransaction(text);
  } catch (cause) {
    if (!(cause instanceof AppError)) throw cause;
    return refuse(`transaction ${index} cannot be read: ${cause.message}`, cause);
  }
}

function refuse(problem: string, cause?: AppError): never {
  throw new AppError("INVALID_BLOCK", `the block is not valid: ${problem}`, { ...(cause && { cause }) });
}
