/** The network: it loses, doubles, delays and reorders messages, and splits, also in one direction only. */

import type { ConsensusMessage } from "../../src/domain/consensus/message.ts";
import type { Agenda } from "./agenda.ts";
import { Ambush } from "./ambush.ts";
import { Random } from "./random.ts";
import type { Scenario } from "./scenario.ts";

/** How long the network stays as it is split, ms. */
const SPLIT_MS = [100, 1_000] as const;

/** How long a node does not hear the rest from another, ms. */
const BLACKOUT_MS = 1_000;

/** What a message tells, whoever sends it, and how often that is kept from a node. */
function blackoutOf(from: string, message: ConsensusMessage, window: number): Blackout {
  switch (message.type) {
    case "proposal":
      return { percent: 15, subject: `proposal ${message.proposal.height}/${message.proposal.round}` };
    case "vote": {
      const { validator, height, round, step } = message.vote;
      return { percent: step === "prevote" ? 15 : 40, subject: `${validator} ${height}/${round}/${step}` };
    }
    case "proof":
      return { percent: 30, subject: `proof ${message.certificate.height}/${message.certificate.round}` };
    default:
      return { percent: 50, subject: `${from} ${message.type} ${window}` };
  }
}

interface Blackout {
  readonly percent: number;
  readonly subject: string;
}

/** FNV-1a, 32 bits. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++)
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return hash >>> 0;
}

export class Network {
  readonly #scenario: Scenario;
  readonly #agenda: Agenda;
  readonly #random: Random;
  readonly #ids: readonly string[];
  /** Directions in which nothing goes through, as `from>to`. */
  #blocked: ReadonlySet<string> = new Set();
  #isCalm = false;

  readonly #ambush: Ambush | null;

  /** `ids`: of all nodes; `honest`: of those that an ambush can be laid for. */
  constructor(
    scenario: Scenario,
    agenda: Agenda,
    random: Random,
    ids: readonly string[],
    honest: readonly string[],
  ) {
    this.#scenario = scenario;
    this.#agenda = agenda;
    this.#random = random;
    this.#ids = ids;
    this.#ambush = scenario.ambushes ? new Ambush(agenda, random, honest) : null;
    if (scenario.partitions) this.#split();
  }

  /** From now on every message arrives, once and in time. Those under way are not faster. */
  heal(): void {
    this.#isCalm = true;
    this.#blocked = new Set();
  }

  /** Takes a message on its way: `arrive` happens as often as it arrives. */
  carry(from: string, to: string, message: ConsensusMessage, arrive: () => void): void {
    if (this.#isCalm) {
      this.#agenda.after(this.#random.between(...this.#scenario.calmDelayMs), arrive);
      return;
    }
    const { blackouts, dropPercent, duplicatePercent, stormDelayMs } = this.#scenario;
    if (this.#ambush?.hides(from, to, message)) return;
    if (blackouts && this.#isBlackedOut(from, to, message)) return;
    if (this.#blocked.has(`${from}>${to}`) || this.#random.chance(dropPercent)) return;
    for (let copies = this.#random.chance(duplicatePercent) ? 2 : 1; copies > 0; copies--) {
      this.#agenda.after(this.#random.between(1, stormDelayMs), arrive);
    }
  }

  /**
   * Whether a node is not to learn this: the same answer for each copy, so that sending again does not help. So
   * one node can have the votes that make a block final when no other has them.
   */
  #isBlackedOut(from: string, to: string, message: ConsensusMessage): boolean {
    const { percent, subject } = blackoutOf(from, message, Math.floor(this.#agenda.now / BLACKOUT_MS));
    return new Random(hashOf(`${this.#scenario.seed} ${to} ${subject}`)).chance(percent);
  }

  /** Splits the nodes in two, or heals them, and comes again. */
  #split(): void {
    if (this.#isCalm) return;
    this.#blocked = this.#random.chance(30) ? new Set() : this.#newSplit();
    this.#agenda.after(this.#random.between(...SPLIT_MS), () => this.#split());
  }

  #newSplit(): ReadonlySet<string> {
    const left = new Set(this.#ids.filter(() => this.#random.chance(50)));
    const isOneWay = this.#random.chance(40);
    const blocked = new Set<string>();
    for (const from of this.#ids) {
      for (const to of this.#ids) {
        const isAcross = isOneWay ? left.has(from) && !left.has(to) : left.has(from) !== left.has(to);
        if (isAcross) blocked.add(`${from}>${to}`);
      }
    }
    return blocked;
  }
}
