import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { z } from "zod";
import { freshDirectory } from "../../../test/harness/database.ts";
import { openReader, openWriter } from "./pragmas.ts";
import { WriteLog } from "./write-log.ts";

const LogState = z.tuple([z.object({ log: z.int(), checkpointed: z.int() })]);
const BIG = "x".repeat(1_000_000);
/** Commits of this size make the log long. */
const LONG = 80;

function openLog() {
  const path = join(freshDirectory(), "notes.db");
  const raw = openWriter(path, undefined, true);
  onTestFinished(() => void raw.close());
  raw.exec("create table note (id integer primary key, body text) strict");
  let asked = 0;
  const log = new WriteLog(raw, path, () => asked++);
  onTestFinished(() => log[Symbol.dispose]());
  const insert = raw.prepare("insert into note (body) values (?)");
  const add = (body: string, times: number): void => {
    for (let time = 0; time < times; time++) {
      insert.run(body);
      log.committed();
    }
  };
  const pages = (): number => LogState.parse(raw.pragma("wal_checkpoint(NOOP)"))[0].log;
  /** Keeps the state of now, until it is called. */
  const read = (): (() => void) => {
    const reader = openReader(path);
    reader.exec("begin");
    reader.prepare("select count(*) from note").get();
    return () => reader.close();
  };
  // Another connection, as the thread for it has.
  const checkpoint = (meanwhile = (): void => {}): void => {
    const other = openWriter(path, undefined, true);
    other.pragma("wal_checkpoint(PASSIVE)");
    other.close();
    meanwhile();
    log.checkpointed();
  };
  return { add, read, pages, checkpoint, asked: () => asked };
}

it("asks for a checkpoint when the log is long, once, and does the last pages itself", () => {
  const { add, read, pages, checkpoint, asked } = openLog();
  add(BIG, 2 * LONG);
  expect(asked()).toBe(1);
  // What comes while the checkpoint goes on is not part of it.
  const end = read();
  add("", 10);
  checkpoint(end);
  expect(asked()).toBe(1);
  // All is in the file: the next commit begins the log anew.
  add("", 1);
  expect(pages()).toBeLessThan(100);
});

it("does not ask over and over while somebody reads an old state", () => {
  const { add, read, pages, checkpoint, asked } = openLog();
  const end = read();
  add(BIG, LONG);
  expect(asked()).toBe(1);
  // It gets as far as the reader lets it, then no further.
  checkpoint();
  expect(asked()).toBe(2);
  checkpoint();
  add("", 100);
  expect(asked()).toBe(2);
  end();
  add("", 1_024);
  expect(asked()).toBe(3);
  checkpoint();
  add("", 1);
  expect(pages()).toBeLessThan(100);
});
