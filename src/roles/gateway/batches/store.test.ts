import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { freshDirectory } from "../../../../test/harness/database.ts";
import { type Database, openDatabase } from "../../../kernel/db/database.ts";
import { migrate } from "../../../kernel/db/migrate.ts";
import { gatewayMigrations } from "../migrations/index.ts";
import type { BatchTable, GatewayTables } from "../tables.ts";
import { addBatch, changeBatch } from "./store.ts";

async function openStore(): Promise<Database<GatewayTables>> {
  const database = openDatabase<GatewayTables>({
    path: join(freshDirectory(), "gateway.db"),
    onFatal: (error) => {
      throw error;
    },
  });
  onTestFinished(() => database[Symbol.asyncDispose]());
  await migrate(database, gatewayMigrations);
  return database;
}

const toBatch = (batch_id: string, owner_id: string, key: string | null = null): BatchTable => ({
  batch_id,
  owner_id,
  key_id: "key",
  idempotency_key: key,
  body_sha256: "",
  endpoint: "/v1/chat/completions",
  input_file_id: "file",
  input_sha256: "",
  metadata: null,
  model: null,
  status: "validating",
  outcome: null,
  total: 0,
  completed: 0,
  failed: 0,
  output_file_id: null,
  error_file_id: null,
  errors: null,
  created_at: 0,
  expires_at: 1,
  in_progress_at: null,
  finalizing_at: null,
  completed_at: null,
  failed_at: null,
  expired_at: null,
  cancelling_at: null,
  cancelled_at: null,
});

/** Adds so many batches of an owner, all at once. */
async function fill({ operation }: Database<GatewayTables>, owner: string, count: number): Promise<void> {
  const rows = Array.from({ length: count }, (_, index) => toBatch(`${owner}-${index}`, owner));
  await Promise.all(rows.map((row) => operation(addBatch, row)));
}

describe("addBatch", () => {
  it("keeps 100 batches of an owner that have not ended, and no more", async () => {
    const store = await openStore();
    await fill(store, "owner", 99);
    await store.operation(addBatch, toBatch("last", "owner", "key"));
    const refused = store.operation(addBatch, toBatch("more", "owner"));
    await expect(refused).rejects.toMatchObject({
      code: "LIMIT_EXCEEDED",
      message: "you have 100 batches that have not ended; wait for one",
    });
    await store.operation(addBatch, toBatch("of another", "somebody else"));
    // The same call again makes no batch.
    const again = await store.operation(addBatch, toBatch("again", "owner", "key"));
    expect(again.batch_id).toBe("last");
    await store.operation(changeBatch, "last", ["validating"], { status: "failed" });
    const more = toBatch("more", "owner");
    expect(await store.operation(addBatch, more)).toEqual(more);
  });

  it("keeps 1,000 of all owners", async () => {
    const store = await openStore();
    for (let owner = 0; owner < 10; owner++) await fill(store, `owner ${owner}`, 100);
    const refused = store.operation(addBatch, toBatch("more", "owner 10"));
    await expect(refused).rejects.toMatchObject({
      code: "LIMIT_EXCEEDED",
      message: "there are 1000 batches that have not ended; wait for one",
    });
  });
});
