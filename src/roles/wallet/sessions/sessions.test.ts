import { describe, expect, it } from "vitest";
import { TestClock } from "../../../../test/harness/clock.ts";
import { codeOf } from "../../../../test/harness/database.ts";
import { poll } from "../../../../test/harness/poll.ts";
import { SecretBytes } from "../../../crypto/secret-bytes.ts";
import { AppError } from "../../../kernel/errors.ts";
import { createIds, systemRandomBytes } from "../../../kernel/ids.ts";
import type { Signer, UnlockedWallet } from "../signer/signer.ts";
import type { Scope } from "./session.ts";
import { type LockReason, Sessions } from "./sessions.ts";

const SCOPE: Scope = { operations: ["sign_message"], maxAmount: 0n, idleMs: 1000, maxMs: 9000 };
const password = (): SecretBytes => SecretBytes.fromUtf8("x");

/** Stands for the processes that hold keys: which run, and what ends one of them. */
class Processes {
  readonly running = new Map<number, () => void>();
  #next = 1;

  readonly signer: Signer = {
    unlock: async (walletId) => {
      if (walletId === "refused") throw new AppError("INVALID_CREDENTIALS", "wrong");
      return this.#start();
    },
    [Symbol.asyncDispose]: async () => {},
  };

  #start(): UnlockedWallet {
    const pid = this.#next++;
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    const end = (): void => {
      this.running.delete(pid);
      resolve();
    };
    this.running.set(pid, end);
    const unlocked = { pid, ended, lock: async () => end() };
    // Sessions look at nothing else of an unlocked wallet.
    return unlocked as unknown as UnlockedWallet;
  }
}

function open() {
  const clock = new TestClock();
  const processes = new Processes();
  const locked: [string, LockReason][] = [];
  const errors: unknown[] = [];
  const sessions = new Sessions({
    signer: processes.signer,
    clock,
    ids: createIds(clock),
    random: systemRandomBytes,
    onLocked: async (walletId, reason) => void locked.push([walletId, reason]),
    onError: (error) => errors.push(error),
  });
  return { sessions, processes, locked, errors, clock };
}

describe("unlock sessions", () => {
  it("of one wallet that are opened at the same time share one process; the others end", async () => {
    const { sessions, processes, locked } = open();
    const opened = await Promise.all([1, 2, 3].map(() => sessions.open("w", password(), SCOPE)));
    expect([processes.running.size, sessions.count, sessions.unlockedCount]).toEqual([1, 3, 1]);
    for (const { token } of opened) sessions.use("w", token, "sign_message", 0n);
    await sessions.lock("w");
    expect([processes.running.size, sessions.count, locked]).toEqual([0, 0, [["w", "asked"]]]);
    for (const { token } of opened) {
      expect(() => sessions.use("w", token, "sign_message", 0n)).toThrow(
        expect.objectContaining({ code: "WALLET_LOCKED" }),
      );
    }
  });

  it("have a bound, and so have the processes; a refused password takes no place", async () => {
    const { sessions, processes } = open();
    for (let n = 0; n < 100; n++) {
      expect(await codeOf(sessions.open("refused", password(), SCOPE))).toBe("INVALID_CREDENTIALS");
    }
    const wallets = Array.from({ length: 20 }, (_, n) => codeOf(sessions.open(`w${n}`, password(), SCOPE)));
    const codes = await Promise.all(wallets);
    expect(codes.filter((code) => code === "LIMIT_EXCEEDED")).toHaveLength(8);
    expect(processes.running.size).toBe(12);
    const more = Array.from({ length: 60 }, () => codeOf(sessions.open("w0", password(), SCOPE)));
    expect((await Promise.all(more)).filter((code) => code === "resolved")).toHaveLength(52);
    expect([sessions.count, processes.running.size]).toEqual([64, 12]);
  });

  it("end with their process, whoever ended it", async () => {
    const { sessions, processes, locked } = open();
    const { token } = await sessions.open("w", password(), SCOPE);
    for (const end of [...processes.running.values()]) end();
    await poll(
      () => locked.length,
      (count) => count === 1,
    );
    expect(() => sessions.use("w", token, "sign_message", 0n)).toThrow(
      expect.objectContaining({ code: "WALLET_LOCKED" }),
    );
    expect([sessions.count, sessions.isUnlocked("w"), locked]).toEqual([0, false, [["w", "process ended"]]]);
  });

  it("are refused once their time is over, before anybody has looked", async () => {
    const { sessions, clock } = open();
    const { token } = await sessions.open("w", password(), SCOPE);
    clock.advance(SCOPE.idleMs);
    expect(() => sessions.use("w", token, "sign_message", 0n)).toThrow(
      expect.objectContaining({ code: "WALLET_LOCKED" }),
    );
  });

  it("end when the daemon stops, and no key is left", async () => {
    const { sessions, processes, locked, errors } = open();
    sessions.start();
    for (const id of ["a", "b"]) await sessions.open(id, password(), SCOPE);
    await sessions.stop();
    expect([processes.running.size, locked.map(([, reason]) => reason), errors]).toEqual([
      0,
      ["stopping", "stopping"],
      [],
    ]);
  });
});
