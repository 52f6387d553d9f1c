import { AppError } from "../../../kernel/errors.ts";
import { PASSWORD_CALLS, PASSWORD_WINDOW_SECONDS } from "../../../wire/wallet/limits.ts";
import type { Db } from "../store.ts";
import { remainingWait, waitAfterFailures } from "./backoff.ts";
import { decideCall } from "./window.ts";

const MS_PER_SECOND = 1000;
const LIMIT = { calls: PASSWORD_CALLS, windowMs: PASSWORD_WINDOW_SECONDS * MS_PER_SECOND };

/** What existing clients expect to read. */
const TOO_MANY = "rate limit exceeded";

function tooMany(detail: string, waitMs: number): AppError {
  return new AppError("RATE_LIMITED", detail, {
    meta: { retry_after_seconds: Math.max(1, Math.ceil(waitMs / MS_PER_SECOND)) },
  });
}

/** Counts a call of a slot at `now` (Unix ms). @throws AppError RATE_LIMITED */
export async function countPasswordCall(tx: Db, slot: string, now: number): Promise<void> {
  const decision = decideCall(await findPasswordCalls(tx, slot), now, LIMIT);
  if (!decision.allowed) throw tooMany(TOO_MANY, decision.retryAfterMs);
  await putPasswordCalls(tx, slot, decision.calls, { now, forgetBefore: now - LIMIT.windowMs });
}

/**
 * Counts a try of a password at `now` (Unix ms) as a wrong one, before it is made. Returns what was there.
 * @throws AppError RATE_LIMITED
 */
export async function reservePasswordTry(tx: Db, walletId: string, now: number): Promise<Backoff> {
  const earlier = await findBackoff(tx, walletId);
  const waitMs = remainingWait(earlier.failures, earlier.blocked_until, now);
  if (waitMs > 0) throw tooMany(`${TOO_MANY}: wrong passwords came before; wait`, waitMs);
  const failures = earlier.failures + 1;
  await putBackoff(tx, walletId, { failures, blocked_until: now + waitAfterFailures(failures) });
  return earlier;
}

/** Calls that still count against a limit, oldest first, Unix ms. */
async function findPasswordCalls(db: Db, slot: string): Promise<readonly number[]> {
  const row = await db
    .selectFrom("wallet_password_calls")
    .select("calls")
    .where("slot", "=", slot)
    .executeTakeFirst();
  // Written by `putPasswordCalls`.
  return row ? (JSON.parse(row.calls) as number[]) : [];
}

/** Keeps the calls of a slot, and forgets slots that were last called before `forgetBefore`. */
async function putPasswordCalls(
  tx: Db,
  slot: string,
  calls: readonly number[],
  { now, forgetBefore }: { readonly now: number; readonly forgetBefore: number },
): Promise<void> {
  await tx.deleteFrom("wallet_password_calls").where("updated_at", "<", forgetBefore).execute();
  const written = { calls: JSON.stringify(calls), updated_at: now };
  await tx
    .insertInto("wallet_password_calls")
    .values({ slot, ...written })
    .onConflict((conflict) => conflict.column("slot").doUpdateSet(written))
    .execute();
}

/** Wrong passwords in a row, and until when none is tried (Unix ms). */
export interface Backoff {
  readonly failures: number;
  readonly blocked_until: number;
}

const NO_FAILURES: Backoff = { failures: 0, blocked_until: 0 };

async function findBackoff(db: Db, walletId: string): Promise<Backoff> {
  const row = await db
    .selectFrom("wallet_backoff")
    .select(["failures", "blocked_until"])
    .where("wallet_id", "=", walletId)
    .executeTakeFirst();
  return row ?? NO_FAILURES;
}

export async function putBackoff(tx: Db, walletId: string, backoff: Backoff): Promise<void> {
  if (backoff.failures === 0) {
    await tx.deleteFrom("wallet_backoff").where("wallet_id", "=", walletId).execute();
    return;
  }
  await tx
    .insertInto("wallet_backoff")
    .values({ wallet_id: walletId, ...backoff })
    .onConflict((conflict) => conflict.column("wallet_id").doUpdateSet({ ...backoff }))
    .execute();
}
