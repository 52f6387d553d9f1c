import { join } from "node:path";
import Sqlite from "better-sqlite3";
import { describe, expect, it, onTestFinished } from "vitest";
import { freshDirectory } from "../../../test/harness/database.ts";
import { assertDurable, openReader, openWriter } from "./pragmas.ts";
import { assertVersion, pragma, type RawDatabase } from "./sqlite.ts";

function closing<T extends RawDatabase>(raw: T): T {
  onTestFinished(() => void raw.close());
  return raw;
}

describe("the writing connection", () => {
  it("flushes each commit, also after its first read", () => {
    const writer = closing(openWriter(join(freshDirectory(), "a.db")));
    writer.prepare("select * from sqlite_schema").all();
    expect(pragma(writer, "synchronous")).toBe(2);
    expect(pragma(writer, "journal_mode")).toBe("wal");
    expect(pragma(writer, "foreign_keys")).toBe(1);
  });

  it.each([
    ["the WAL is off", "journal_mode = DELETE", /journal_mode reads delete/],
    ["foreign keys are off", "foreign_keys = OFF", /foreign_keys reads 0/],
  ])("is refused when %s", (_name, setting, message) => {
    const path = join(freshDirectory(), "a.db");
    openWriter(path).close();
    const raw = closing(new Sqlite(path));
    raw.pragma("synchronous = FULL");
    raw.pragma(setting);
    expect(() => assertDurable(raw)).toThrow(message);
  });

  it("is refused when synchronous is left to SQLite, which shows 2 until the first read and then acts on 1", () => {
    const raw = closing(new Sqlite(join(freshDirectory(), "a.db")));
    raw.pragma("journal_mode = WAL");
    expect(pragma(raw, "synchronous")).toBe(2);
    expect(() => assertDurable(raw)).toThrow(/synchronous reads 1/);
  });

  it("enforces foreign keys", () => {
    const writer = closing(openWriter(join(freshDirectory(), "a.db")));
    writer.exec("create table p (id integer primary key); create table c (p integer references p (id))");
    expect(() => writer.exec("insert into c values (1)")).toThrow("FOREIGN KEY");
  });

  it("says so when the file is no database or cannot be opened", () => {
    const directory = freshDirectory();
    expect(() => openWriter(join(directory, "no", "such", "folder.db"))).toThrow();
    expect(() => openWriter(directory)).toThrow(/cannot open the database/);
  });
});

describe("the reading connection", () => {
  it("cannot write", () => {
    const path = join(freshDirectory(), "a.db");
    const writer = closing(openWriter(path));
    writer.exec("create table t (a)");
    const reader = closing(openReader(path));
    expect(() => reader.exec("insert into t values (1)")).toThrow(/readonly/);
  });
});

describe("the version of SQLite", () => {
  const withVersion = (version: string): RawDatabase => {
    const raw = closing(new Sqlite(":memory:"));
    raw.function("sqlite_version", () => version);
    return raw;
  };

  it.each(["3.51.3", "3.52.0", "4.0.0"])("%s is accepted", (version) => {
    expect(() => assertVersion(withVersion(version))).not.toThrow();
  });

  it.each(["3.51.2", "3.45.9", "2.99.99"])("%s is refused", (version) => {
    expect(() => assertVersion(withVersion(version))).toThrow("can corrupt a database");
  });
});
