import type { Principal } from "../../wire/access.ts";
import { keylessMinerId } from "./keyless-profile.ts";

/** The name of a miner that gives none. */
export const UNNAMED = "default";

/** Who speaks: an API key and the name that the miner has chosen under it. */
export interface KeylessCaller {
  readonly principal: Principal;
  readonly name: string | undefined;
}

/** The id that the caller's miner has. */
export function idOf({ principal, name }: KeylessCaller): string {
  return keylessMinerId(principal.owner_id, name ?? UNNAMED);
}
