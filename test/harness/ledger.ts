/** A chain of the pure ledger, with keys from fixed seeds. */
import { addressOfKey } from "../../src/crypto/address.ts";
import { toBase64Url } from "../../src/crypto/bytes.ts";
import { type SecretKey, sign } from "../../src/crypto/ed25519.ts";
import type { Block } from "../../src/domain/consensus/block.ts";
import type { Certificate } from "../../src/domain/consensus/certificate.ts";
import { ValidatorSet } from "../../src/domain/consensus/validator-set.ts";
import { type Account, accountKey } from "../../src/domain/ledger/account.ts";
import {
  type Applied,
  applyBlock,
  type Chain,
  type Head,
  produceBlock,
  rulesAbove,
  startChain,
} from "../../src/domain/ledger/block.ts";
import type { Genesis, GenesisAccount } from "../../src/domain/ledger/genesis.ts";
import { DEFAULT_PARAMS, type Params } from "../../src/domain/ledger/params.ts";
import type { Payloads, TransactionType } from "../../src/domain/ledger/registry.ts";
import {
  attachSignature,
  buildTransaction,
  formatUnsigned,
  transactionSignBytes,
} from "../../src/domain/ledger/signing.ts";
import { parseTransaction, type Transaction } from "../../src/domain/ledger/transaction.ts";
import { seededKey } from "./receipts.ts";

/** Somebody with a key. */
export interface Person {
  readonly key: SecretKey;
  readonly address: string;
  /** Base64url. */
  readonly publicKey: string;
}

export function person(name: string): Person {
  const key = seededKey(name);
  return { key, address: addressOfKey(key.publicKey), publicKey: toBase64Url(key.publicKey) };
}

/** 21 November 2026. */
const GENESIS_TIME = 1_795_219_200_000;
/** 1000 AIT. */
const FORTUNE = 1_000_000_000n;

/** Money of a person at the start. */
export function fund({ address }: Person, balance = FORTUNE, stake = 0n): GenesisAccount {
  return { address, balance, stake };
}

export function genesisOf(
  validators: readonly Person[],
  accounts: readonly GenesisAccount[],
  params: Partial<Params> = {},
): Genesis {
  return {
    chainId: "aitbc-test",
    time: GENESIS_TIME,
    params: { ...DEFAULT_PARAMS, ...params },
    validators: new ValidatorSet(validators.map(({ key }) => key.publicKey)),
    accounts,
  };
}

/** What a test may set apart from the obvious. */
export interface Extra {
  readonly nonce?: number;
  /** µAIT. */
  readonly fee?: bigint;
  readonly chainId?: string;
}

/** Certificate that the ledger does not look into, and no quorum signed. */
function placeholder({ height, hash }: Head): Certificate | null {
  if (height === 0) return null;
  return { v: 1, height, round: 0, step: "precommit", block_hash: hash, signatures: [] };
}

/** Milliseconds between the blocks of a test. */
const BLOCK_MS = 1000;

/** A chain that grows by one block at a time, made by the first validator unless it is said otherwise. */
export class TestChain {
  readonly chain: Chain;
  head: Head;

  constructor(genesis: Genesis) {
    ({ chain: this.chain, head: this.head } = startChain(genesis));
  }

  account(who: Person | string): Account | undefined {
    return this.head.state.find(accountKey(typeof who === "string" ? who : who.address));
  }

  balance(who: Person | string): bigint {
    return this.account(who)?.balance ?? 0n;
  }

  /** A signed transaction with the sender's next nonce and the least fee. */
  sign<Type extends TransactionType>(
    { key, address, publicKey }: Person,
    type: Type,
    payload: Payloads[Type],
    { nonce, fee, chainId = this.chain.chainId }: Extra = {},
  ): Transaction {
    const built = buildTransaction(
      {
        chainId,
        type,
        payload,
        nonce: nonce ?? (this.account(address)?.nonce ?? 0) + 1,
        signer: { public_key: publicKey },
      },
      rulesAbove(this.head).params,
    );
    const unsigned = fee === undefined ? built : { ...built, fee: String(fee) };
    const signature = sign(transactionSignBytes(formatUnsigned(unsigned), this.chain.realm), key);
    return parseTransaction(attachSignature(unsigned, signature));
  }

  /** Makes the next block of those transactions that can be included, without taking it up. */
  produce(
    transactions: readonly Transaction[],
    {
      time = this.head.time + BLOCK_MS,
      proposer = rulesAbove(this.head).validators.validators[0]?.address ?? "",
    } = {},
  ): { readonly block: Block; readonly applied: Applied } {
    return produceBlock(
      this.chain,
      this.head,
      { time, proposer, lastCommit: placeholder(this.head) },
      transactions,
    );
  }

  /** Makes the next block and takes it up; returns the codes of what was included. */
  run(
    transactions: readonly Transaction[],
    plan: { readonly time?: number; readonly proposer?: string } = {},
  ): string[] {
    const { block } = this.produce(transactions, plan);
    const { head, results } = applyBlock(this.chain, this.head, block);
    this.head = head;
    return results.map(({ code }) => code);
  }

  /** Blocks without transactions. */
  skip(blocks: number): void {
    for (let count = 0; count < blocks; count++) this.run([]);
  }
}
