import { createHash } from "node:crypto";
import {
  chmodSync,
  chownSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AppError } from "../../kernel/errors.ts";
import { ensureLoadable, materializeEntry } from "./private-cache.ts";

const CONTENTS = ["one", "two"].map((text) => Buffer.from(text));
const FILES = CONTENTS.map((bytes, index) => ({
  path: `bins/${index}.so`,
  sha256: createHash("sha256").update(bytes).digest("hex"),
}));

let cache: string;
let reads: number;

beforeEach(() => {
  cache = join(mkdtempSync(join(tmpdir(), "aitbc-cache-")), "aitbc");
  reads = 0;
});

afterEach(() => rmSync(join(cache, ".."), { recursive: true, force: true }));

function materialize(): string {
  return materializeEntry(cache, "entry", FILES, () => {
    reads += 1;
    return CONTENTS;
  });
}

function read(directory: string): string[] {
  return FILES.map(({ path }) => readFileSync(join(directory, path), "utf8"));
}

describe("materializeEntry", () => {
  it("writes an entry once, for the owner alone, and leaves nothing else behind", () => {
    const directory = materialize();
    expect(read(directory)).toEqual(["one", "two"]);
    expect(materialize()).toBe(directory);
    expect(reads).toBe(1);
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    expect(statSync(cache).mode & 0o777).toBe(0o700);
    expect(readdirSync(cache)).toEqual(["entry"]);
  });

  it("writes it again when a file was changed, is missing, or is a link", () => {
    const target = join(materialize(), "bins/1.so");
    writeFileSync(target, "tampered");
    expect(read(materialize())).toEqual(["one", "two"]);
    rmSync(target);
    expect(read(materialize())).toEqual(["one", "two"]);
    const elsewhere = join(cache, "../elsewhere");
    writeFileSync(elsewhere, "two");
    rmSync(target);
    symlinkSync(elsewhere, target);
    materialize();
    expect(reads).toBe(4);
    expect(statSync(target).ino).not.toBe(statSync(elsewhere).ino);
    expect(readdirSync(cache)).toEqual(["entry"]);
  });

  it("does not trust a directory that others may write to", () => {
    const directory = materialize();
    chmodSync(directory, 0o777);
    expect(read(materialize())).toEqual(["one", "two"]);
    expect(reads).toBe(2);
    expect(statSync(directory).mode & 0o777).toBe(0o700);
  });

  it.runIf(process.geteuid?.() === 0)("refuses a directory of another user", () => {
    chownSync(materialize(), 65_534, 65_534);
    expect(() => materialize()).toThrow(/belongs to another user.*AITBC_CACHE_DIR/);
  });

  it("refuses a link in place of the directory", () => {
    const directory = materialize();
    rmSync(directory, { recursive: true });
    symlinkSync(tmpdir(), directory);
    expect(() => materialize()).toThrow(/is not a directory/);
  });

  it("says what to do when the cache cannot be written", () => {
    writeFileSync(join(cache, "../file"), "");
    const error = catchError(() =>
      materializeEntry(join(cache, "../file/cache"), "entry", FILES, () => CONTENTS),
    );
    expect(error.code).toBe("CACHE_UNUSABLE");
    expect(error.message).toContain("AITBC_CACHE_DIR");
  });
});

describe("ensureLoadable", () => {
  it("passes what the cache wrote, and refuses what may not be executed", () => {
    const path = join(materialize(), "bins/0.so");
    ensureLoadable(cache, path);
    chmodSync(path, 0o600);
    expect(catchError(() => ensureLoadable(cache, path)).code).toBe("CACHE_UNUSABLE");
  });
});

function catchError(action: () => void): AppError {
  try {
    action();
  } catch (error) {
    if (error instanceof AppError) return error;
  }
  throw new Error("expected an AppError");
}
