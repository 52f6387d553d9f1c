/**
 * A network that works against the locks. At every second height one node, the victim, hears everything while
 * nobody hears more of it than prevotes: it alone comes to hold a block final. Another node hears of no proposal
 * and no prevote for a while, and proposes something else in its turn. Only the locks of the rest keep the chain
 * from forking then.
 */
import type { ConsensusMessage } from "../../src/domain/consensus/message.ts";
import type { Agenda } from "./agenda.ts";
import type { Random } from "./random.ts";

/** How long the victim is mute and the other one deaf, from the first message of the height, ms. */
const MUTE_MS = [800, 2_000] as const;
const DEAF_MS = [100, 800] as const;

interface Trap {
  readonly victim: string;
  readonly deaf: string | null;
  readonly muteUntil: number;
  readonly deafUntil: number;
}

export class Ambush {
  readonly #agenda: Agenda;
  readonly #random: Random;
  readonly #honest: readonly string[];
  readonly #traps = new Map<number, Trap>();

  /** `honest`: ids of the nodes that an ambush can be laid for. */
  constructor(agenda: Agenda, random: Random, honest: readonly string[]) {
    this.#agenda = agenda;
    this.#random = random;
    this.#honest = honest;
  }

  /** Whether a message is kept from a node. */
  hides(from: string, to: string, message: ConsensusMessage): boolean {
    const trap = this.#trapAt(heightOf(message));
    if (!trap) return false;
    const isPrevote = message.type === "vote" && message.vote.step === "prevote";
    const { now } = this.#agenda;
    if (from === trap.victim && now < trap.muteUntil) return message.type !== "proposal" && !isPrevote;
    const isPrecommit = message.type === "vote" && message.vote.step === "precommit";
    // A faulty node that saw the block become final would go on to the next height, and harm this one no more.
    if (isPrecommit && now < trap.muteUntil && !this.#honest.includes(to)) return true;
    if (to !== trap.deaf || now >= trap.deafUntil) return false;
    return message.type === "proposal" || message.type === "proof" || isPrevote;
  }

  #trapAt(height: number): Trap | undefined {
    if (height % 2 === 0) return undefined;
    const known = this.#traps.get(height);
    if (known) return known;
    const victim = this.#random.pick(this.#honest);
    const deaf = this.#random.chance(50) ? this.#random.pick(this.#honest) : null;
    const muteUntil = this.#agenda.now + this.#random.between(...MUTE_MS);
    const deafUntil = this.#agenda.now + this.#random.between(...DEAF_MS);
    const trap = { victim, deaf: deaf === victim ? null : deaf, muteUntil, deafUntil };
    this.#traps.set(height, trap);
    return trap;
  }
}

function heightOf(message: ConsensusMessage): number {
  switch (message.type) {
    case "vote":
      return message.vote.height;
    case "proposal":
      return message.proposal.height;
    case "status":
      // A victim that has gone on must not say so: it would be asked for the final block.
      return message.height - 1;
    case "proof":
      return message.certificate.height;
    default:
      return message.block.header.height;
  }
}
