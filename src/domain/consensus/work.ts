/** One step in the making: the state as it becomes, and what is to be done. */
import type { ConsensusEffect, StoredBlock } from "./event.ts";
import type { ConsensusMessage } from "./message.ts";
import { getRound, type KnownBlock, type Round, type State } from "./state.ts";

export class Work {
  state: State;
  /** Whether the sign-state has to be saved before anything is sent. */
  mustSave = false;
  readonly #stored: StoredBlock[] = [];
  readonly #effects: ConsensusEffect[] = [];

  constructor(state: State) {
    this.state = state;
  }

  update(changes: Partial<State>): void {
    this.state = { ...this.state, ...changes };
  }

  updateRound(round: number, changes: Partial<Round>): void {
    const rounds = new Map(this.state.rounds).set(round, { ...getRound(this.state, round), ...changes });
    this.update({ rounds });
  }

  updateBlock(hash: string, known: KnownBlock): void {
    this.update({ blocks: new Map(this.state.blocks).set(hash, known) });
  }

  /** Has a block on disk before anything of this step is signed and sent. */
  store(stored: StoredBlock): void {
    this.#stored.push(stored);
  }

  add(effect: ConsensusEffect): void {
    this.#effects.push(effect);
  }

  send(message: ConsensusMessage, to: string | null = null): void {
    this.add({ type: "send", to, message });
  }

  /** Everything to do, in order: what must be on disk stands before what leaves. One save serves a whole step. */
  finish(): [State, readonly ConsensusEffect[]] {
    const stores = this.#stored.map((stored) => ({ type: "store_block", stored }) as const);
    const { signState } = this.state;
    const saves = this.mustSave ? [{ type: "save_sign_state", signState } as const] : [];
    return [this.state, [...stores, ...saves, ...this.#effects]];
  }
}
