/** What happens to a validator, and what it wants done: the two sides of the reducer. */
import type { Block, FinalBlock } from "./block.ts";
import type { Certificate } from "./certificate.ts";
import type { Evidence } from "./evidence.ts";
import type { Header } from "./header.ts";
import type { ConsensusMessage } from "./message.ts";
import type { SignState } from "./sign-state.ts";
import type { Timeout } from "./timing.ts";
import type { ValidatorSet } from "./validator-set.ts";

/** What a height begins with: all of it follows from the blocks below. */
export interface HeightInput {
  readonly height: number;
  /** The set that decides this height, and the one that decides the next. */
  readonly validators: ValidatorSet;
  readonly nextValidators: ValidatorSet;
  readonly parent: Parent;
  /** Largest size of a block's text, in bytes. */
  readonly maxBlockBytes: number;
}

/** The final block below a height. */
export interface Parent {
  /** Hash of the block, or of the genesis file. */
  readonly hash: string;
  /** Its time, in Unix ms. */
  readonly time: number;
  /** Its certificate and the set that signed it; null for genesis. */
  readonly commit: { readonly certificate: Certificate; readonly validators: ValidatorSet } | null;
}

export type ConsensusEvent =
  /** The next height, after the block below was committed. */
  | { readonly type: "height.started"; readonly input: HeightInput }
  /** There is a transaction in the mempool, or a change of validators is pending: there is reason for a block. */
  | { readonly type: "work.arrived" }
  | { readonly type: "timeout.passed"; readonly timeout: Timeout }
  /** Time to say what this node has, as comes round regularly; or a peer is new, and is told alone. */
  | { readonly type: "gossip.due"; readonly peer?: string }
  /** `now`: the wall clock when it came in, Unix ms. */
  | {
      readonly type: "message.received";
      readonly from: string;
      readonly message: ConsensusMessage;
      readonly now: number;
    }
  /** Answer to `produce_block`. */
  | { readonly type: "block.produced"; readonly round: number; readonly block: Block }
  /** Answer to `validate_block`. */
  | { readonly type: "block.validated"; readonly hash: string; readonly valid: boolean }
  /** Somebody who knows says that a validator whose sign-state was lost may sign. */
  | { readonly type: "signing.allowed" };

/** The part of a header that consensus gives; the ledger gives time (above `minTime`) and roots. */
export type HeaderFrame = Omit<Header, "time" | "tx_root" | "results_root" | "receipt_root" | "state_root">;

/**
 * What is to be done, in the order given and in the order of the steps that ask for it. `store_block` and
 * `save_sign_state` must be on disk before anything after them is begun.
 */
export type ConsensusEffect =
  /** Keep a block of this height, with its proof of lock, for `resume`. Blocks of heights below may go. */
  | { readonly type: "store_block"; readonly stored: StoredBlock }
  | { readonly type: "save_sign_state"; readonly signState: SignState }
  /** To one peer, or to all. */
  | { readonly type: "send"; readonly to: string | null; readonly message: ConsensusMessage }
  /** To a peer that is behind: the final block of this height, from the node's store. */
  | { readonly type: "send_final_block"; readonly to: string; readonly height: number }
  | { readonly type: "schedule_timeout"; readonly timeout: Timeout; readonly delayMs: number }
  | {
      readonly type: "produce_block";
      readonly round: number;
      readonly frame: HeaderFrame;
      readonly lastCommit: Certificate | null;
      /** Lowest time that the block may have, Unix ms. */
      readonly minTime: number;
    }
  /** Apply it, and compare the roots. The answer must depend on the block and those below it alone. */
  | { readonly type: "validate_block"; readonly hash: string; readonly block: Block }
  /** The block is final. `height.started` follows when it is applied and on disk. */
  | { readonly type: "commit_block"; readonly hash: string; readonly final: FinalBlock }
  | { readonly type: "report_evidence"; readonly evidence: Evidence }
  /** A peer sent what no honest node sends. */
  | { readonly type: "report_peer"; readonly peer: string; readonly reason: string }
  /** A quorum precommitted a block that the ledger refuses: a third is faulty, or two ledgers differ. Stop. */
  | { readonly type: "halt"; readonly reason: string };

/** A block as it was stored by an effect. */
export interface StoredBlock {
  readonly block: Block;
  readonly proof: Certificate | null;
}
