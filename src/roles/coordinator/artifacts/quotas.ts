import { AppError } from "../../../kernel/errors.ts";
import type { ArtifactsConfig } from "../config.ts";

/** What may be kept at most, in bytes. */
export type Quotas = Pick<ArtifactsConfig, "owner_quota_bytes" | "total_quota_bytes">;

/** What is stored already, in bytes. */
export interface Stored {
  readonly ofOwner: number;
  readonly ofAll: number;
}

/** Refuses what the quotas do not have room for. @throws AppError LIMIT_EXCEEDED */
export function checkQuotas(quotas: Quotas, { ofOwner, ofAll }: Stored): void {
  const { owner_quota_bytes, total_quota_bytes } = quotas;
  if (ofOwner > owner_quota_bytes) {
    throw new AppError(
      "LIMIT_EXCEEDED",
      `more than the ${owner_quota_bytes} bytes that one owner may keep; delete artifacts first`,
    );
  }
  if (ofAll > total_quota_bytes) {
    throw new AppError("LIMIT_EXCEEDED", "the store of artifacts is full; try again later");
  }
}
