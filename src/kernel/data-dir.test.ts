import {
  chmodSync,
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { freshDirectory } from "../../test/harness/database.ts";
import { describeFileError, openDataDirectory } from "./data-dir.ts";
import { lockDataDirectory } from "./db/lock.ts";

const mode = (path: string): number => statSync(path).mode & 0o777;

describe("openDataDirectory", () => {
  it("makes it with its parents, for its owner only, and leaves nothing in it", () => {
    const path = join(freshDirectory(), "a", "b");
    openDataDirectory(path);
    openDataDirectory(path);
    expect(mode(path)).toBe(0o700);
    expect(readdirSync(path)).toEqual([]);
  });

  it("closes an empty directory, and its own, to others", () => {
    const path = join(freshDirectory(), "a");
    mkdirSync(path, { mode: 0o755 });
    openDataDirectory(path);
    expect(mode(path)).toBe(0o700);
    lockDataDirectory(path, { command: "test", now: 0 })[Symbol.dispose]();
    chmodSync(path, 0o755);
    openDataDirectory(path);
    expect(mode(path)).toBe(0o700);
  });

  it("does not close a directory that holds something else", () => {
    const path = join(freshDirectory(), "shared");
    mkdirSync(path, { mode: 0o755 });
    writeFileSync(join(path, "letter.txt"), "");
    expect(() => openDataDirectory(path)).toThrow(/chmod 700/);
    expect(mode(path)).toBe(0o755);
  });

  it("says that a file is no directory", () => {
    const file = join(freshDirectory(), "file");
    writeFileSync(file, "");
    const expected = expect.objectContaining({
      code: "DATA_UNWRITABLE",
      message: expect.stringContaining("is not a directory"),
    });
    expect(() => openDataDirectory(file)).toThrow(expected);
    expect(() => openDataDirectory(join(file, "below"))).toThrow(expected);
  });
});

describe("describeFileError", () => {
  it("knows a full disk", () => {
    const full = openSync("/dev/full", "w");
    try {
      writeSync(full, "x");
      expect.unreachable();
    } catch (error) {
      expect(describeFileError(error)).toBe("has no space left");
    } finally {
      closeSync(full);
    }
  });

  it.each([
    ["EROFS", "is on a read-only file system"],
    ["EACCES", "cannot be written by this user"],
    ["EIO", "cannot be used: text"],
  ])("names %s", (code, reason) => {
    expect(describeFileError(Object.assign(new Error("text"), { code }))).toBe(reason);
  });
});
