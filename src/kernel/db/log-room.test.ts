import { copyFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Sqlite from "better-sqlite3";
import { sql } from "kysely";
import { describe, expect, it, onTestFinished } from "vitest";
import { freshDirectory } from "../../../test/harness/database.ts";
import { InlineWriter } from "./inline-writer.ts";
import { LogRoom } from "./log-room.ts";
import type { ProcedureBody } from "./procedures.ts";

const STEP_BYTES = 256 * 1024;

const run = (writer: InlineWriter, body: ProcedureBody): Promise<unknown> =>
  writer.run({ body, args: [], inBulk: undefined });

async function openBusy(path: string): Promise<InlineWriter> {
  const events = { onFatal() {}, onBatch() {}, onLongLog() {} };
  const settings = { path, batch: undefined, maxPageCount: undefined };
  const writer = new InlineWriter(settings, events, undefined);
  onTestFinished(async () => {
    await writer.drain();
    await writer.close();
  });
  await run(writer, (tx) =>
    sql`create table if not exists note (id integer primary key, body text) strict`.execute(tx),
  );
  return writer;
}

const add = (writer: InlineWriter, size: number): Promise<unknown> =>
  run(writer, (tx) => sql`insert into note (body) values (${"x".repeat(size)})`.execute(tx));

/** What a start after a crash finds: the files as they are now, opened anew. */
function countAfterCrash(path: string): unknown {
  const copy = join(freshDirectory(), "copy.db");
  copyFileSync(path, copy);
  copyFileSync(`${path}-wal`, `${copy}-wal`);
  const database = new Sqlite(copy);
  onTestFinished(() => void database.close());
  expect(database.pragma("integrity_check", { simple: true })).toBe("ok");
  return database.prepare("select count(*) from note").pluck().get();
}

describe("room in the log", () => {
  it("is ahead of the writer, and a start after a crash finds every commit", async () => {
    const path = join(freshDirectory(), "notes.db");
    const writer = await openBusy(path);
    for (let note = 1; note <= 40; note++) {
      await add(writer, note * 100);
      expect(countAfterCrash(path)).toBe(note);
    }
    // A commit of some pages each would have left a tenth of this.
    expect(statSync(`${path}-wal`).size).toBeGreaterThanOrEqual(40 * STEP_BYTES);
  });

  it("never covers what the writer has written, even past a step", async () => {
    const path = join(freshDirectory(), "notes.db");
    const writer = await openBusy(path);
    for (const size of [10, 3 * STEP_BYTES, 10, STEP_BYTES, 10]) await add(writer, size);
    expect(countAfterCrash(path)).toBe(5);
  });

  it("is made up to a length, and not again after a checkpoint", async () => {
    const log = join(freshDirectory(), "log");
    writeFileSync(log, "frames");
    using room = new LogRoom(log, 2 * STEP_BYTES);
    for (let step = 0; step < 5; step++) room.grow();
    expect(statSync(log).size).toBe("frames".length + 2 * STEP_BYTES);
    writeFileSync(log, "");
    room.grow();
    expect(statSync(log).size).toBe(0);
  });
});
