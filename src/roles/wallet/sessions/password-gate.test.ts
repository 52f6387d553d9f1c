import { describe, expect, it, vi } from "vitest";
import { TestClock } from "../../../../test/harness/clock.ts";
import { codeOf } from "../../../../test/harness/database.ts";
import { openWalletStore } from "../../../../test/harness/wallet-store.ts";
import { AppError } from "../../../kernel/errors.ts";
import { FREE_FAILURES, LONGEST_WAIT_MS } from "./backoff.ts";
import { PasswordGate } from "./password-gate.ts";

const WINDOW_MS = 60_000;
const LIMIT = 30;

const wrong = async (): Promise<never> => {
  throw new AppError("INVALID_CREDENTIALS", "wrong");
};
const right = async (): Promise<string> => "in";

async function open() {
  const store = await openWalletStore();
  const clock = new TestClock();
  const onWrong = vi.fn();
  const gate = (): PasswordGate => new PasswordGate({ store, clock, onWrong });
  return { gate, clock, onWrong };
}

describe("the calls of a password route", () => {
  it("are 30 a minute for one wallet and route, over restarts too", async () => {
    const { gate, clock } = await open();
    for (let call = 0; call < LIMIT; call++) await gate().count("unlock", "a");
    await expect(gate().count("unlock", "a")).rejects.toThrow(
      expect.objectContaining({ code: "RATE_LIMITED", meta: { retry_after_seconds: expect.any(Number) } }),
    );
    await gate().count("unlock", "b");
    await gate().count("sign", "a");
    clock.advance(WINDOW_MS);
    await gate().count("unlock", "a");
  });

  it("are no more when they come all at once", async () => {
    const { gate } = await open();
    const one = gate();
    const calls = Array.from({ length: 2 * LIMIT }, () => codeOf(one.count("unlock", "a")));
    const codes = await Promise.all(calls);
    expect(codes.filter((code) => code === "resolved")).toHaveLength(LIMIT);
  });
});

describe("wrong passwords", () => {
  it("make the next try wait, longer each time, over restarts too; nothing is tried meanwhile", async () => {
    const { gate, clock, onWrong } = await open();
    for (let failure = 0; failure < FREE_FAILURES; failure++) await codeOf(gate().attempt("a", wrong));
    expect(await codeOf(gate().attempt("a", wrong))).toBe("INVALID_CREDENTIALS");
    for (const waitMs of [1000, 2000, 4000]) {
      const attempt = vi.fn(right);
      expect(await codeOf(gate().attempt("a", attempt))).toBe("RATE_LIMITED");
      expect(attempt).not.toHaveBeenCalled();
      clock.advance(waitMs);
      expect(await codeOf(gate().attempt("a", wrong))).toBe("INVALID_CREDENTIALS");
    }
    expect(await gate().attempt("b", right)).toBe("in");
    clock.advance(LONGEST_WAIT_MS);
    expect(await gate().attempt("a", right)).toBe("in");
    expect(onWrong).toHaveBeenCalledTimes(FREE_FAILURES + 4);
    // The right one has ended it.
    expect(await codeOf(gate().attempt("a", wrong))).toBe("INVALID_CREDENTIALS");
    expect(await gate().attempt("a", right)).toBe("in");
  });

  it("count before they are tried: a crash in the middle gives no try for free", async () => {
    const { gate } = await open();
    const never = new Promise<never>(() => {});
    for (let crash = 0; crash <= FREE_FAILURES; crash++) {
      let began = (): void => {};
      const begun = new Promise<void>((resolve) => {
        began = resolve;
      });
      void gate().attempt("a", () => {
        began();
        return never;
      });
      await begun;
    }
    expect(await codeOf(gate().attempt("a", right))).toBe("RATE_LIMITED");
  });

  it("that come all at once are tried one after the other", async () => {
    const { gate } = await open();
    const one = gate();
    const attempt = vi.fn(wrong);
    const codes = await Promise.all(Array.from({ length: 20 }, () => codeOf(one.attempt("a", attempt))));
    expect(attempt).toHaveBeenCalledTimes(FREE_FAILURES + 1);
    expect(codes.filter((code) => code === "RATE_LIMITED")).toHaveLength(20 - FREE_FAILURES - 1);
  });

  it("are not what a try is that fails for another reason; right ones all at once do not wait", async () => {
    const { gate } = await open();
    const one = gate();
    for (let failure = 0; failure < 10; failure++) {
      const broken = one.attempt("a", async () => {
        throw new AppError("SIGNER_FAILED", "the process ended");
      });
      expect(await codeOf(broken)).toBe("SIGNER_FAILED");
    }
    const all = Array.from({ length: 10 }, () => one.attempt("a", right));
    expect(new Set(await Promise.all(all))).toEqual(new Set(["in"]));
  });
});
