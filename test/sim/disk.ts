/** A disk that keeps only what was synced: a crash may or may not take the write that was under way. */
import type { FinalBlock } from "../../src/domain/consensus/block.ts";
import type { StoredBlock } from "../../src/domain/consensus/event.ts";
import { NEW_SIGN_STATE, type SignState } from "../../src/domain/consensus/sign-state.ts";

/** What a node keeps through a crash. */
export interface Files {
  signState: SignState;
  /** Blocks of the height being decided. */
  stored: readonly StoredBlock[];
  finals: readonly FinalBlock[];
}

export class Disk {
  #files: Files = { signState: NEW_SIGN_STATE, stored: [], finals: [] };
  #pending: Partial<Files> = {};

  /** Replaces files. They are there for good only after `sync`. */
  write(files: Partial<Files>): void {
    this.#pending = { ...this.#pending, ...files };
  }

  sync(): void {
    this.#files = { ...this.#files, ...this.#pending };
    this.#pending = {};
  }

  /** What a running process reads: its own writes too. */
  read(): Files {
    return { ...this.#files, ...this.#pending };
  }

  /** `reached`: whether the write under way had reached the disk. */
  crash(reached: boolean): void {
    if (reached) this.sync();
    this.#pending = {};
  }
}
