/** A ledger as small as consensus needs one: roots that depend on all blocks, and changes of validators. */
import { toHex } from "../../src/crypto/bytes.ts";
import { sha256, sha256Hex } from "../../src/crypto/hash.ts";
import { type Block, type FinalBlock, textsRoot } from "../../src/domain/consensus/block.ts";
import type { Certificate } from "../../src/domain/consensus/certificate.ts";
import type { HeaderFrame, HeightInput } from "../../src/domain/consensus/event.ts";
import { headerHash } from "../../src/domain/consensus/header.ts";
import { ValidatorSet } from "../../src/domain/consensus/validator-set.ts";
import { keyOf } from "../harness/validators.ts";

/** Hash of the genesis file of every simulated chain. */
export const GENESIS = sha256("simulated genesis");
/** Unix ms at which simulated time begins. */
export const EPOCH = Date.UTC(2030, 0, 1);
export const CHAIN_ID = "sim";

const MAX_BLOCK_BYTES = 64 * 1024;
/** A change in block h is in force at height h + 2. */
const CHANGE_DELAY = 2;
const NO_ROOT = sha256Hex("");

/** A transaction that makes these keys (by number) the validators. */
export function changeOf(keys: readonly number[]): string {
  return `set ${keys.join(" ")}`;
}

/** The validators with these keys. */
function setOf(keys: readonly number[]): ValidatorSet {
  return new ValidatorSet(keys.map((key) => keyOf(key).publicKey));
}

/** One node's final blocks, and what follows from them. */
export class Chain {
  readonly finals: FinalBlock[] = [];
  readonly #sets: ValidatorSet[];
  readonly #roots: string[] = [toHex(GENESIS)];

  constructor(genesisKeys: readonly number[], finals: readonly FinalBlock[] = []) {
    const genesis = setOf(genesisKeys);
    this.#sets = [genesis, genesis, genesis];
    for (const final of finals) this.append(final);
  }

  get height(): number {
    return this.finals.length;
  }

  /** The set of a height, up to the second above the last final one. */
  setAt(height: number): ValidatorSet {
    const set = this.#sets[height];
    if (!set) throw new RangeError(`no set is known at height ${height}`);
    return set;
  }

  /** What the next height begins with. */
  input(): HeightInput {
    const height = this.height + 1;
    const last = this.finals.at(-1);
    return {
      height,
      validators: this.setAt(height),
      nextValidators: this.setAt(height + 1),
      maxBlockBytes: MAX_BLOCK_BYTES,
      parent: {
        hash: last ? headerHash(last.block.header) : toHex(GENESIS),
        time: last ? last.block.header.time : EPOCH,
        commit: last ? { certificate: last.certificate, validators: this.setAt(height - 1) } : null,
      },
    };
  }

  /** A block on top of the last one. */
  produce(frame: HeaderFrame, last_commit: Certificate | null, transactions: string[], time: number): Block {
    const tx_root = textsRoot(transactions);
    const state_root = this.#rootAfter(tx_root);
    const header = { ...frame, time, tx_root, results_root: NO_ROOT, receipt_root: NO_ROOT, state_root };
    return { header, transactions, last_commit };
  }

  /** Whether a block's roots are those of its transactions on top of the last block. */
  isValid({ header, transactions }: Block): boolean {
    const isUnique = new Set(transactions).size === transactions.length;
    return isUnique && header.state_root === this.#rootAfter(textsRoot(transactions));
  }

  append(final: FinalBlock): void {
    const { header, transactions } = final.block;
    this.finals.push(final);
    this.#roots.push(header.state_root);
    const change = transactions.findLast((text) => text.startsWith("set "));
    const keys = change?.split(" ").slice(1).map(Number);
    this.#sets[this.height + CHANGE_DELAY] = keys ? setOf(keys) : this.setAt(this.height + CHANGE_DELAY - 1);
  }

  #rootAfter(txRoot: string): string {
    return sha256Hex(`${this.#roots.at(-1)} ${txRoot}`);
  }
}
