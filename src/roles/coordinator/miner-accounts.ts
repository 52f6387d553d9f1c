import type { Clock } from "../../kernel/clock.ts";
import { AppError } from "../../kernel/errors.ts";
import type { Log } from "../../kernel/log.ts";
import type { Principal } from "../../wire/access.ts";
import type { MinerView } from "../../wire/miner-accounts.ts";
import type { HeldLease } from "../../wire/miners.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { KeylessCaller } from "./keyless-caller.ts";
import type { KeylessMiners } from "./keyless-miners.ts";
import { isKeyless, keylessMinerId } from "./keyless-profile.ts";
import type { MinerHealth } from "./miner-health.ts";
import { toMinerView } from "./miner-view.ts";
import type { Store } from "./ports.ts";
import type { Db } from "./store/handle.ts";
import { findMiner, markDrained } from "./store/miners.ts";
import type { MinerTable } from "./tables.ts";

/**
 * The miner with this name or id, for whoever holds the API key that admitted it, or for an administrator: other
 * keys' miners do not exist for a key. @throws AppError MINER_NOT_FOUND
 */
export async function findOwnMiner(db: Db, principal: Principal, id: string): Promise<MinerTable> {
  for (const minerId of [keylessMinerId(principal.owner_id, id), id]) {
    const row = await findMiner(db, minerId);
    if (row && (principal.kind === "admin" || row.key_id === principal.key_id)) return row;
  }
  throw new AppError("MINER_NOT_FOUND", "miner not registered");
}

interface AccountDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly health: MinerHealth;
  /** @throws AppError SHUTTING_DOWN */
  readonly running: () => { readonly dispatcher: Dispatcher; readonly keyless: KeylessMiners };
}

/** How miners stand, and what their owners decide about them. */
export class MinerAccounts {
  readonly #deps: AccountDeps;

  constructor(deps: AccountDeps) {
    this.#deps = deps;
  }

  /** @throws AppError MINER_NOT_FOUND */
  async view(principal: Principal, id: string): Promise<MinerView> {
    return this.#view(await findOwnMiner(this.#deps.store.db, principal, id));
  }

  /** Keeps a miner from new jobs, or ends that. @throws AppError MINER_NOT_FOUND */
  async setDraining(principal: Principal, id: string, draining: boolean): Promise<MinerView> {
    const { store, clock, health, log, running } = this.#deps;
    const { dispatcher, keyless } = running();
    const row = await findOwnMiner(store.db, principal, id);
    const { miner_id } = row;
    if (isKeyless(miner_id)) keyless.setDraining(miner_id, draining);
    else {
      await store.operation(markDrained, miner_id, draining ? clock.now() : null);
      health.setDrained(miner_id, draining);
    }
    log.info({ miner_id, draining }, "miner changed by its owner");
    const link = dispatcher.sessions.get(miner_id);
    if (!draining && link) dispatcher.nudge(link);
    return this.#view(row);
  }

  /**
   * The call that names its miner in a header: a miner without a key of this name, else the one with this id.
   * Returns what still runs. @throws AppError MINER_NOT_FOUND
   */
  async drainCaller(caller: KeylessCaller): Promise<readonly HeldLease[]> {
    const { keyless } = this.#deps.running();
    const { name, principal } = caller;
    if (name === undefined || keyless.has(caller)) return keyless.drain(caller);
    return (await this.setDraining(principal, name, true)).jobs;
  }

  #view(row: MinerTable): MinerView {
    const { dispatcher } = this.#deps.running();
    return toMinerView(row, { ...this.#deps, links: () => dispatcher.sessions });
  }
}
