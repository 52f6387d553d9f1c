import { describe, expect, it } from "vitest";
import { openCoordinatorStore } from "../../../../test/harness/coordinator-store.ts";
import { codeOf } from "../../../../test/harness/database.ts";
import type { ArtifactTable } from "../tables.ts";
import { addArtifact, sumOfAll, sumOfOwner } from "./artifacts.ts";

const QUOTAS = { owner_quota_bytes: 10_000, total_quota_bytes: 15_000 };

const toArtifact = (sha256: string, size_bytes: number, owner_id = "owner"): ArtifactTable => ({
  sha256,
  owner_id,
  size_bytes,
  media_type: "text/plain",
  created_at: 0,
  expires_at: 1,
});

describe("addArtifact", () => {
  it("keeps what an owner's quota has room for, small content as a block of the disk", async () => {
    const { operation, db } = await openCoordinatorStore();
    await operation(addArtifact, toArtifact("a", 5_000), QUOTAS);
    await operation(addArtifact, toArtifact("b", 1), QUOTAS);
    expect(await sumOfOwner(db, "owner")).toBe(9_096);
    expect(await codeOf(operation(addArtifact, toArtifact("c", 1), QUOTAS))).toBe("LIMIT_EXCEEDED");
    // What is there already is counted once, and kept longer.
    await operation(addArtifact, { ...toArtifact("a", 5_000), expires_at: 2 }, QUOTAS);
    expect(await sumOfOwner(db, "owner")).toBe(9_096);
  });

  it("keeps no more of all owners than there is room for, and counts shared content once", async () => {
    const { operation, db } = await openCoordinatorStore();
    await operation(addArtifact, toArtifact("a", 10_000), QUOTAS);
    await operation(addArtifact, toArtifact("a", 10_000, "second"), QUOTAS);
    await operation(addArtifact, toArtifact("b", 5_000, "third"), QUOTAS);
    expect(await sumOfAll(db)).toBe(15_000);
    expect(await codeOf(operation(addArtifact, toArtifact("c", 1, "third"), QUOTAS))).toBe("LIMIT_EXCEEDED");
    expect(await sumOfAll(db)).toBe(15_000);
  });
});
