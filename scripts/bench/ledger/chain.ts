/** A chain with many accounts, and full blocks for it, signed before anything is measured. */
import { addressOfKey } from "../../../src/crypto/address.ts";
import { toBase64Url } from "../../../src/crypto/bytes.ts";
import { SecretKey, sign } from "../../../src/crypto/ed25519.ts";
import { sha256 } from "../../../src/crypto/hash.ts";
import type { Block } from "../../../src/domain/consensus/block.ts";
import { ValidatorSet } from "../../../src/domain/consensus/validator-set.ts";
import { type Chain, type Head, produceBlock, startChain } from "../../../src/domain/ledger/block.ts";
import { DEFAULT_PARAMS } from "../../../src/domain/ledger/params.ts";
import {
  attachSignature,
  buildTransaction,
  formatUnsigned,
  transactionSignBytes,
} from "../../../src/domain/ledger/signing.ts";
import { parseTransaction, type Transaction } from "../../../src/domain/ledger/transaction.ts";

/** µAIT of each account: more than any of them can spend here. */
const FORTUNE = 1_000_000_000n;
const BLOCK_MS = 1000;

interface Sender {
  readonly key: SecretKey;
  readonly address: string;
  readonly publicKey: string;
}

export interface BenchChain {
  readonly chain: Chain;
  readonly heads: readonly Head[];
  /** Each over the head of the same place. */
  readonly blocks: readonly Block[];
}

const seeded = (name: string): SecretKey => new SecretKey(sha256(`bench ${name}`));

function createSender(index: number): Sender {
  const key = seeded(`sender ${index}`);
  return { key, address: addressOfKey(key.publicKey), publicKey: toBase64Url(key.publicKey) };
}

/** Accounts of nobody: the state is as large as they are many. */
const idleAddress = (index: number): string => addressOfKey(sha256(`bench idle ${index}`));

/**
 * A chain with `accounts` accounts, `senders` of which send to others by turns, and its first `blocks` blocks, as
 * full as the parameters allow.
 */
export function createBenchChain(accounts: number, senders: number, blocks: number): BenchChain {
  const validator = seeded("validator");
  const people = Array.from({ length: senders }, (_, index) => createSender(index));
  const addresses = [
    ...people.map(({ address }) => address),
    ...Array.from({ length: accounts - senders }, (_, index) => idleAddress(index)),
  ];
  const { chain, head } = startChain({
    chainId: "bench",
    time: 1_795_219_200_000,
    params: DEFAULT_PARAMS,
    validators: new ValidatorSet([validator.publicKey]),
    accounts: addresses.map((address) => ({ address, balance: FORTUNE, stake: 0n })),
  });
  const transactions = endlessTransfers(chain, people, addresses);
  const heads = [head];
  const made: Block[] = [];
  for (let at = head; made.length < blocks; heads.push(at)) {
    const plan = {
      time: at.time + BLOCK_MS,
      proposer: addressOfKey(validator.publicKey),
      lastCommit: null,
    };
    const { block, applied } = produceBlock(chain, at, plan, takeFor(transactions));
    made.push(block);
    at = applied.head;
  }
  return { chain, heads: heads.slice(0, blocks), blocks: made };
}

/** As many as surely do not fit into one block: those left over are never sent. */
function* takeFor(transactions: Iterator<Transaction>): Generator<Transaction> {
  const most = Math.floor(DEFAULT_PARAMS.max_block_bytes / TRANSFER_BYTES);
  for (let count = 0; count < most; count++) {
    const { value, done } = transactions.next();
    if (!done) yield value;
  }
}

/** A transfer's part of a block, in bytes: somewhat more than it has. */
const TRANSFER_BYTES = 400;

/** Every sender's next transfer by turns, each to an account far away from it. */
function* endlessTransfers(
  chain: Chain,
  people: readonly Sender[],
  addresses: readonly string[],
): Generator<Transaction> {
  for (let round = 1, recipient = 0; ; round++) {
    for (const { key, publicKey } of people) {
      recipient = (recipient + 7919) % addresses.length;
      const request = {
        chainId: chain.chainId,
        type: "TRANSFER" as const,
        payload: { to: addresses[recipient] ?? "", amount: "12345" },
        nonce: round,
        signer: { public_key: publicKey },
      };
      const unsigned = buildTransaction(request, DEFAULT_PARAMS);
      const signature = sign(transactionSignBytes(formatUnsigned(unsigned), chain.realm), key);
      yield parseTransaction(attachSignature(unsigned, signature));
    }
  }
}
