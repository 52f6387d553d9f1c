import { getConnInfo } from "@hono/node-server/conninfo";
import type { Context } from "hono";
import type { Clock } from "../kernel/clock.ts";
import { AppError } from "../kernel/errors.ts";
import type { Authorize, HttpVariables } from "../kernel/http/router.ts";
import { type RateDecision, RateLimiter } from "../kernel/rate-limit.ts";
import type { Access, Principal } from "../wire/access.ts";

export interface RateSettings {
  /** Calls a second in the long run; 0 for no limit. */
  readonly rate_limit_per_second: number;
  readonly rate_limit_burst: number;
}

/** Limits how often one caller calls: by its key, or by its address where it shows none. */
export interface CallLimits {
  /** Value of the header `RateLimit-Policy`; empty without a limit. */
  readonly policy: string;
  limit(authorize: Authorize<Access, Principal>): Authorize<Access, Principal>;
}

export function createCallLimits(settings: RateSettings, clock: Clock): CallLimits {
  const { rate_limit_per_second: rate, rate_limit_burst: burst } = settings;
  if (rate === 0) return { policy: "", limit: (authorize) => authorize };
  const limiter = new RateLimiter(rate, burst);
  return {
    policy: `"default";q=${burst};w=${Math.ceil(burst / rate)}`,
    limit: (authorize) => async (context, access) => {
      const principal = await authorize(context, access);
      const caller = access === "public" ? addressOf(context) : principal.key_id;
      const decision = limiter.take(caller, clock.monotonic());
      context.set("rate", decision);
      if (decision.allowed) return principal;
      throw new AppError("RATE_LIMITED", `more than ${rate} calls a second; wait and call again`, {
        meta: { retry_after_seconds: decision.retryAfterSeconds },
      });
    },
  };
}

/** Headers that tell a caller where it stands (draft-ietf-httpapi-ratelimit-headers-10). */
export function rateHeaders(decision: RateDecision, policy: string): readonly (readonly [string, string])[] {
  const { remaining, resetSeconds } = decision;
  return [
    ["ratelimit", `"default";r=${remaining};t=${resetSeconds}`],
    ["ratelimit-policy", policy],
  ];
}

/** The caller's address. Calls inside the process have none. */
function addressOf(context: Context<HttpVariables>): string {
  if (!context.env) return "this process";
  return getConnInfo(context).remote.address ?? "unknown";
}
