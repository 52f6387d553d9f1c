import { AppError } from "../../kernel/errors.ts";
import type { BusEvents } from "../../wire/events.ts";
import { formatTime } from "../../wire/scalars.ts";
import type { AccessEntry, WalletEvent } from "../../wire/wallet/receipts.ts";
import type { WalletDeps } from "./ports.ts";
import type { LockReason } from "./sessions/sessions.ts";
import { insertAccess, insertEvent, listAccess, listEvents, type NewAccess } from "./store.ts";

/** Who asked for something: over which interface, and under which id the request is logged. */
export interface Caller {
  readonly via: NewAccess["via"];
  readonly requestId: string;
}

/** What is noted of one use of keys or passwords, while it goes on. */
export interface Use {
  readonly operation: string;
  readonly walletId: string | null;
  /** The session that was used or opened. */
  sessionId?: string;
}

/** What the daemon does without being asked. */
const BY_ITSELF: Caller = { via: "daemon", requestId: "" };

type WalletEventName = "wallet.created" | "wallet.unlocked" | "wallet.locked";

interface Page<Item> {
  readonly items: Item[];
  readonly next_cursor: string | null;
}

/** What was done with the wallets: two lists that only grow. */
export class History {
  readonly #deps: Pick<WalletDeps, "store" | "clock" | "bus">;

  constructor(deps: Pick<WalletDeps, "store" | "clock" | "bus">) {
    this.#deps = deps;
  }

  /**
   * Does something with keys or passwords and notes how it ended. What it gives is handed out only once the note is
   * on disk. Calls beyond a limit are counted, not noted: a flood must not fill the disk.
   */
  async noted<T>(caller: Caller, use: Use, work: () => Promise<T>): Promise<T> {
    try {
      const value = await work();
      await this.#note(caller, use, "ok");
      return value;
    } catch (error) {
      const code = error instanceof AppError ? error.code : "INTERNAL";
      if (code !== "RATE_LIMITED") await this.#note(caller, use, code);
      throw error;
    }
  }

  /** Keeps an event, then tells it on the bus. */
  async tell<Name extends WalletEventName>(event: Name, data: BusEvents[Name]): Promise<void> {
    const { store, clock, bus } = this.#deps;
    const row = { at: clock.now(), event, data: JSON.stringify(data) };
    await store.operation(insertEvent, row);
    bus.emit(event, data);
  }

  /** Tells that a wallet's keys are out of memory, and notes it where nobody asked for it. */
  async locked(walletId: string, reason: LockReason): Promise<void> {
    if (reason !== "asked") await this.#note(BY_ITSELF, { operation: "lock", walletId }, "ok");
    await this.tell("wallet.locked", { wallet_id: walletId, reason });
  }

  async listEvents(after: number, limit: number): Promise<Page<WalletEvent>> {
    const rows = await listEvents(this.#deps.store.db, after, limit + 1);
    return toPage(rows, limit, ({ seq, at, event, data }) => ({
      seq,
      at: formatTime(at),
      event,
      data: JSON.parse(data) as Record<string, unknown>,
    }));
  }

  async listAccess(after: number, limit: number): Promise<Page<AccessEntry>> {
    const rows = await listAccess(this.#deps.store.db, after, limit + 1);
    return toPage(rows, limit, ({ at, ...rest }) => ({ ...rest, at: formatTime(at) }));
  }

  async #note({ via, requestId }: Caller, use: Use, outcome: string): Promise<void> {
    const { store, clock } = this.#deps;
    const entry: NewAccess = {
      at: clock.now(),
      operation: use.operation,
      wallet_id: use.walletId,
      session_id: use.sessionId ?? null,
      via,
      outcome,
      request_id: requestId,
    };
    await store.operation(insertAccess, entry);
  }
}

function toPage<Row extends { readonly seq: number }, Item>(
  rows: readonly Row[],
  limit: number,
  toItem: (row: Row) => Item,
): Page<Item> {
  const page = rows.slice(0, limit);
  return {
    items: page.map(toItem),
    next_cursor: rows.length > limit ? String(page.at(-1)?.seq) : null,
  };
}
