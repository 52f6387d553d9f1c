/** A model as one online miner offers it. */
export interface ModelOffer {
  readonly miner_id: string;
  readonly engine: string;
  readonly digest: string;
  readonly context_tokens: number;
  /** See FEATURES; a newer miner may name more. */
  readonly features: readonly string[];
  /** Measured by the miner; null: not yet. */
  readonly tokens_per_second: number | null;
  readonly load_ms: number | null;
  /** Whether it is in memory now; null: the engine cannot tell. */
  readonly loaded: boolean | null;
}

/** A model that a miner offers, or once did. */
export interface KnownModel {
  readonly name: string;
  /** When a miner offered it first, Unix ms. */
  readonly first_seen_at: number;
  /** What 1,000,000 units of its jobs cost, in µAIT. */
  readonly price_uait_per_million_units: number;
  /** By the miners that are online now; empty: its jobs wait for one. */
  readonly offers: readonly ModelOffer[];
}
