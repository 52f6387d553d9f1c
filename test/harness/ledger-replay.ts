/** Runs random operations through the ledger and its naive twin, block by block. */
import {
  applyBlock,
  type Head,
  produceBlock,
  rulesAbove,
  startChain,
} from "../../src/domain/ledger/block.ts";
import { SUPPLY_KEY, supplyInUse } from "../../src/domain/ledger/supply.ts";
import { Operations, operationsGenesis } from "./ledger-operations.ts";
import { LedgerTwin } from "./ledger-twin.ts";

export interface ReplayPlan {
  readonly seed: number;
  /** Transactions that are tried, at least. */
  readonly operations: number;
  /** Transactions of one block, at most: with 1 everything is checked after every single one. */
  readonly most?: number;
}

export interface Replayed {
  readonly head: Head;
  readonly blocks: number;
  readonly operations: number;
  /** How often each result code came. */
  readonly codes: ReadonlyMap<string, number>;
  /** Sizes that the set of validators had. */
  readonly setSizes: ReadonlySet<number>;
  /** µAIT of slashed stake. */
  readonly burned: bigint;
  /** What was wrong first, with the height. */
  readonly problem: string | undefined;
}

const MOST = 40;

/** Runs the operations of a seed; stops at the first thing that is wrong. */
export function replay({ seed, operations, most = MOST }: ReplayPlan): Replayed {
  const genesis = operationsGenesis();
  const started = startChain(genesis);
  const source = new Operations(started.chain, seed);
  const twin = new LedgerTwin(genesis);
  const codes = new Map<string, number>();
  const setSizes = new Set<number>();
  let head = started.head;
  let done = 0;
  let problem: string | undefined;
  while (done < operations && problem === undefined) {
    const transactions = source.list(head, 1 + source.below(most));
    done += transactions.length;
    const proposer = source.proposer(head);
    const plan = { time: head.time + 1 + source.below(2500), proposer, lastCommit: null };
    const { block, applied } = produceBlock(started.chain, head, plan, transactions);
    const again = applyBlock(started.chain, head, block);
    const expected = twin.block(plan.time, proposer, transactions);
    head = applied.head;
    const got = applied.results.map(({ code }) => code);
    for (const code of got) codes.set(code, (codes.get(code) ?? 0) + 1);
    setSizes.add(rulesAbove(head).validators.size);
    const supply = supplyInUse(head.state.find(SUPPLY_KEY));
    if (again.head.hash !== head.hash) problem = "applying is not what producing was";
    else if (got.join() !== expected.join()) problem = `codes ${got.join()}, the twin has ${expected.join()}`;
    else if (head.state.root !== twin.root()) problem = "the twin has another root";
    else if (twin.total() !== supply || twin.expected() !== supply) problem = "money is not conserved";
    else if (twin.hasNegative()) problem = "a negative amount";
    if (problem) problem = `height ${head.height}: ${problem}`;
  }
  const burned = head.state.find(SUPPLY_KEY)?.burned ?? 0n;
  return { head, blocks: head.height, operations: done, codes, setSizes, burned, problem };
}
