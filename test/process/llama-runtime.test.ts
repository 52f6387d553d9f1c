import { execFile } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { expect, it, onTestFinished } from "vitest";
import { binaryPath } from "../harness/binary.ts";

const root = resolve(import.meta.dirname, "../..");
/** The first use of the executable may have to build it. */
const BUILD_TIMEOUT_MS = 180_000;

it(
  "the single file runs llama.cpp from a folder in which it was installed",
  async () => {
    const directory = mkdtempSync(join(tmpdir(), "aitbc-runtime-"));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    const runtime = join(directory, "runtime");
    mkdirSync(runtime);
    symlinkSync(join(root, "node_modules"), join(runtime, "node_modules"));
    copyFileSync(join(root, "src/app/assets/aitbc-tiny.gguf"), join(directory, "own.gguf"));
    const bench = ["miner", "bench", "--engine", "llama", "--model-path", "own.gguf", "--threads", "1"];
    const { stdout } = await promisify(execFile)(
      await binaryPath(),
      [...bench, "--runtime-path", "runtime", "--output", "json"],
      { cwd: directory, env: { HOME: directory } },
    );
    expect(JSON.parse(stdout)).toMatchObject([{ engine: "llama", model: "own", error: null }]);
  },
  BUILD_TIMEOUT_MS,
);
