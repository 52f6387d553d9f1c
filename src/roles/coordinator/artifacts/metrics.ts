import { toAppError } from "../../../kernel/errors.ts";
import type { Counter, Gauge, Metrics } from "../../../kernel/metrics.ts";

/** What artifacts count, for operators. */
export class ArtifactMetrics {
  /** What all owners keep, as it counts against the quota. */
  readonly stored: Gauge;
  readonly expired: Counter;
  readonly #uploads: Counter;
  readonly #uploadedBytes: Counter;
  readonly #downloads: Counter;
  readonly #downloadedBytes: Counter;
  readonly #rejected: Counter<"code">;

  constructor(metrics: Metrics) {
    const of = (name: string): string => `aitbc_coordinator_artifact_${name}`;
    this.stored = metrics.gauge(
      of("stored_bytes"),
      "Bytes of all artifacts, as they count against the quota",
    );
    this.expired = metrics.counter(of("expired_total"), "Artifacts removed because their time was over");
    this.#uploads = metrics.counter(of("uploads_total"), "Artifacts stored");
    this.#uploadedBytes = metrics.counter(of("uploaded_bytes_total"), "Bytes of artifacts stored");
    this.#downloads = metrics.counter(
      of("downloads_total"),
      "Downloads begun, of artifacts and parts of them",
    );
    this.#downloadedBytes = metrics.counter(
      of("downloaded_bytes_total"),
      "Bytes that downloads were to bring",
    );
    this.#rejected = metrics.counter(of("rejected_total"), "Uploads refused or broken off, by error code", [
      "code",
    ]);
  }

  uploaded(bytes: number): void {
    this.#uploads.inc();
    this.#uploadedBytes.inc(bytes);
  }

  downloaded(bytes: number): void {
    this.#downloads.inc();
    this.#downloadedBytes.inc(bytes);
  }

  rejected(error: unknown): void {
    this.#rejected.inc({ code: toAppError(error).code });
  }
}
