/** A simulated node: does what the reducer asks for, in order, over a disk that a crash can empty. */
import type { Block, FinalBlock } from "../../src/domain/consensus/block.ts";
import type { ConsensusEffect, ConsensusEvent, StoredBlock } from "../../src/domain/consensus/event.ts";
import type { Evidence } from "../../src/domain/consensus/evidence.ts";
import type { ConsensusMessage } from "../../src/domain/consensus/message.ts";
import { resume } from "../../src/domain/consensus/resume.ts";
import { lostSignState } from "../../src/domain/consensus/sign-state.ts";
import type { Settings, State } from "../../src/domain/consensus/state.ts";
import { step } from "../../src/domain/consensus/step.ts";
import type { Agenda } from "./agenda.ts";
import { Chain } from "./chain.ts";
import { Disk } from "./disk.ts";
import type { Random } from "./random.ts";

/** Longest time that a ledger takes for a block, ms. */
const LEDGER_MS = 5;
/** How often a node says what it has, ms. */
const GOSSIP_MS = 100;
/** Final blocks that a node which is behind is sent at once. */
const CATCH_UP = 16;
/** Transactions of one block. */
const MAX_TRANSACTIONS = 5;
/** What a node whose sign-state was lost adds to its clock: no block from before may count as one made after. */
const RESTORE_MARGIN_MS = 1_000;

/** What a node is in the midst of, and what it tells to the outside. */
export interface Surroundings {
  readonly agenda: Agenda;
  readonly random: Random;
  /** Numbers of the keys that validate from the start. */
  readonly genesis: readonly number[];
  /** Unix ms on the clock of the node with this key. */
  wallClock(key: number): number;
  /** How long the next write takes, ms. */
  syncMs(): number;
  /** Whether this node crashes at this very moment, between two effects. */
  strikes(node: Node): boolean;
  /** To one node, or to all. */
  send(from: Node, to: string | null, message: ConsensusMessage): void;
  noteFinal(node: Node, final: FinalBlock): void;
  noteEvidence(node: Node, evidence: Evidence): void;
  notePeer(node: Node, peer: string, reason: string): void;
  /** Something that must not be. */
  find(finding: string): void;
  trace(line: string): void;
}

type Telling = Extract<
  ConsensusEffect,
  { type: "send" | "send_final_block" | "report_evidence" | "report_peer" | "halt" }
>;

export class Node {
  readonly id: string;
  /** Number of its key. */
  readonly key: number;
  readonly isHonest: boolean;
  readonly world: Surroundings;
  readonly settings: Settings;
  readonly #disk = new Disk();
  readonly #mempool = new Set<string>();
  /** Final blocks that came before those below them. */
  readonly #ahead = new Map<number, { readonly from: string; readonly message: ConsensusMessage }>();
  readonly #queue: ConsensusEffect[] = [];
  #chain: Chain;
  #state: State | undefined;
  #isBusy = false;
  /** Grows with each start, so that nothing asked for before a crash happens after it. */
  #incarnation = 0;

  constructor(world: Surroundings, id: string, key: number, isHonest: boolean, settings: Settings) {
    this.world = world;
    this.id = id;
    this.key = key;
    this.isHonest = isHonest;
    this.settings = settings;
    this.#chain = new Chain(world.genesis);
  }

  /** Final blocks that it has applied. */
  get height(): number {
    return this.#chain.height;
  }

  get isUp(): boolean {
    return this.#state !== undefined;
  }

  /** Votes that decide at a height up to the one it decides. */
  quorumAt(height: number): number {
    return this.#chain.setAt(height).quorum;
  }

  start(): void {
    this.#incarnation++;
    const { signState, finals } = this.#disk.read();
    this.#chain = new Chain(this.world.genesis, finals);
    const [state, effects] = resume(this.settings, this.#chain.input(), signState, this.#storedNow());
    this.#state = state;
    this.#take(effects);
    this.#gossip();
    this.#drain();
  }

  crash(): void {
    this.world.trace(`${this.id} crashes`);
    this.#state = undefined;
    this.#queue.length = 0;
    this.#isBusy = false;
    this.#mempool.clear();
    this.#ahead.clear();
    this.#incarnation++;
    this.#disk.crash(this.world.random.chance(50));
  }

  /** Its disk is lost, and replaced by a backup: some of the final blocks. A sign-state is never part of one. */
  restore(keepsSignState: boolean): void {
    const { finals, signState: kept } = this.#disk.read();
    const fewer = finals.slice(0, this.world.random.between(0, finals.length));
    this.world.trace(`${this.id} is restored at ${fewer.length}`);
    const signState = keepsSignState ? kept : lostSignState(this.now() + RESTORE_MARGIN_MS);
    this.#disk.write({ signState, stored: [], finals: fewer });
    this.#disk.sync();
  }

  /** Its wall clock, Unix ms. */
  now(): number {
    return this.world.wallClock(this.key);
  }

  receive(from: string, message: ConsensusMessage): void {
    if (message.type === "final_block" && message.block.header.height > this.#chain.height + 1) {
      this.#ahead.set(message.block.header.height, { from, message });
      return;
    }
    this.happen({ type: "message.received", from, message, now: this.now() });
  }

  submit(transaction: string): void {
    if (!this.#state || this.#isFinal(transaction)) return;
    this.#mempool.add(transaction);
    this.happen({ type: "work.arrived" });
  }

  happen(event: ConsensusEvent): void {
    if (!this.#state) return;
    const [state, effects] = step(this.#state, event);
    this.#state = state;
    this.#take(effects);
    this.#drain();
  }

  #take(effects: readonly ConsensusEffect[]): void {
    for (const effect of effects) this.#queue.push(effect);
  }

  /** Does what is queued, up to a write: what comes after it waits until it is on disk. */
  #drain(): void {
    while (!this.#isBusy && this.#state) {
      const effect = this.#queue.shift();
      if (!effect) return;
      if (this.world.strikes(this)) return;
      this.#perform(effect);
    }
  }

  #perform(effect: ConsensusEffect): void {
    switch (effect.type) {
      case "save_sign_state":
        this.#write({ signState: effect.signState });
        break;
      case "store_block":
        this.#write({ stored: [...this.#storedNow(), effect.stored] });
        break;
      case "commit_block": {
        const finals = [...this.#disk.read().finals, effect.final];
        this.#write({ finals }, () => this.#commit(effect.final));
        break;
      }
      case "schedule_timeout": {
        const event = { type: "timeout.passed", timeout: effect.timeout } as const;
        this.#after(effect.delayMs, () => this.happen(event));
        break;
      }
      case "produce_block":
        this.#later(() => this.#produce(effect));
        break;
      case "validate_block":
        this.#later(() => this.#validate(effect.hash, effect.block));
        break;
      default:
        this.#tell(effect);
    }
  }

  /** What needs no disk, ledger or timer. */
  #tell(effect: Telling): void {
    switch (effect.type) {
      case "send":
        this.world.send(this, effect.to, effect.message);
        break;
      case "send_final_block": {
        const finals = this.#chain.finals.slice(effect.height - 1, effect.height - 1 + CATCH_UP);
        for (const final of finals) this.world.send(this, effect.to, { type: "final_block", ...final });
        break;
      }
      case "report_evidence":
        this.world.noteEvidence(this, effect.evidence);
        break;
      case "report_peer":
        this.world.notePeer(this, effect.peer, effect.reason);
        break;
      case "halt":
        this.world.find(`${this.id} halts: ${effect.reason}`);
    }
  }

  /** Stored blocks of the height that is being decided. */
  #storedNow(): readonly StoredBlock[] {
    const height = this.#chain.height + 1;
    return this.#disk.read().stored.filter(({ block }) => block.header.height === height);
  }

  #write(files: Parameters<Disk["write"]>[0], then: () => void = () => {}): void {
    this.#disk.write(files);
    this.#isBusy = true;
    this.#after(this.world.syncMs(), () => {
      this.#disk.sync();
      this.#isBusy = false;
      then();
      this.#drain();
    });
  }

  #commit(final: FinalBlock): void {
    this.#chain.append(final);
    this.world.noteFinal(this, final);
    for (const transaction of final.block.transactions) this.#mempool.delete(transaction);
    this.happen({ type: "height.started", input: this.#chain.input() });
    if (this.#mempool.size > 0) this.happen({ type: "work.arrived" });
    const next = this.#ahead.get(this.#chain.height + 1);
    this.#ahead.delete(this.#chain.height + 1);
    if (next) this.receive(next.from, next.message);
  }

  #produce({ round, frame, lastCommit, minTime }: Extract<ConsensusEffect, { type: "produce_block" }>): void {
    if (frame.height !== this.#chain.height + 1) return;
    const transactions = [...this.#mempool].slice(0, MAX_TRANSACTIONS);
    const time = Math.max(this.now(), minTime);
    const block = this.#chain.produce(frame, lastCommit, transactions, time);
    this.happen({ type: "block.produced", round, block });
  }

  #validate(hash: string, block: Block): void {
    if (block.header.height !== this.#chain.height + 1) return;
    this.happen({ type: "block.validated", hash, valid: this.#chain.isValid(block) });
  }

  #isFinal(transaction: string): boolean {
    return this.#chain.finals.some(({ block }) => block.transactions.includes(transaction));
  }

  #gossip(): void {
    this.happen({ type: "gossip.due" });
    this.#after(GOSSIP_MS + this.world.random.between(0, 20), () => this.#gossip());
  }

  #later(action: () => void): void {
    this.#after(this.world.random.between(0, LEDGER_MS), action);
  }

  /** Happens unless the node crashes before. */
  #after(delayMs: number, action: () => void): void {
    const incarnation = this.#incarnation;
    this.world.agenda.after(delayMs, () => {
      if (incarnation === this.#incarnation) action();
    });
  }
}
