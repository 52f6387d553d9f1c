import type { Counter, Metrics } from "../../kernel/metrics.ts";

/** The wallet's metrics. */
export class WalletMetrics {
  /** Callers that were turned away before their request was looked at. */
  readonly refused: Counter<"reason">;
  readonly signatures: Counter<"operation">;
  readonly wrongPasswords: Counter;
  readonly receipts: Counter<"outcome">;
  readonly ingestFailures: Counter;

  constructor(metrics: Metrics, read: { sessions: () => number; unlocked: () => number }) {
    this.refused = metrics.counter(
      "aitbc_wallet_refused_total",
      "Requests turned away for their Host, Origin, token or content type",
      ["reason"],
    );
    this.signatures = metrics.counter("aitbc_wallet_signatures_total", "Signatures made", ["operation"]);
    this.wrongPasswords = metrics.counter("aitbc_wallet_wrong_passwords_total", "Wrong passwords");
    this.receipts = metrics.counter("aitbc_wallet_receipts_total", "Receipts read and checked", ["outcome"]);
    this.ingestFailures = metrics.counter(
      "aitbc_wallet_ingest_failures_total",
      "Rounds in which a coordinator's receipts could not be read",
    );
    metrics.observed("aitbc_wallet_sessions", "Unlock sessions that are open", read.sessions);
    metrics.observed("aitbc_wallet_unlocked", "Wallets whose keys are in memory", read.unlocked);
  }
}
