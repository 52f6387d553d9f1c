import type { MinerCapabilities, Offer } from "../../wire/session.ts";
import type { Lease, LeaseHolder } from "./lease.ts";

/** What a miner said of itself at registration. */
export interface MinerProfile {
  readonly minerId: string;
  readonly name: string;
  readonly region: string | null;
  readonly payout: string | null;
  readonly slots: number;
  readonly capabilities: MinerCapabilities;
}

/** The profile of a miner that has proven its identity key. */
export interface KeyedProfile extends MinerProfile {
  readonly publicKey: Uint8Array;
}

/** An offer as a link brings it to its miner. */
export type LinkOffer = Omit<Offer, "type">;

/** A registered miner as the dispatcher knows it, whatever it speaks. */
export interface MinerLink extends LeaseHolder {
  /** Id of the API key that admitted it. */
  readonly keyId: string;
  /** A new object with every change, so that what was worked out from an earlier one is not taken for it. */
  readonly profile: MinerProfile;
  /** Whether an offer can reach the miner. */
  readonly open: boolean;
  readonly draining: boolean;
  /** Whether it can go on where another miner's text ends. */
  readonly continues: boolean;
  /** Slots that can take an offer now. */
  readonly freeSlots: number;
  /** Leases that it works on, by job. */
  readonly leases: Map<string, Lease>;
  /** Claims under way: slots that are as good as taken. */
  claiming: number;
  offer(lease: Lease, offer: LinkOffer): void;
  /** Last sign of life, monotonic ms. */
  readonly seenAt: number;
  /** Tells a draining miner that nothing of its work is left here. */
  finishDrain(): void;
  /** Ends the link. `code` is a WebSocket close code. */
  close(code: number, reason: string): void;
}
