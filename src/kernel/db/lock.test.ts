import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { freshDirectory } from "../../../test/harness/database.ts";
import { lockDataDirectory } from "./lock.ts";

const OPTIONS = { command: "aitbc test", now: Date.UTC(2026, 0, 2) };

describe("the lock of a data directory", () => {
  it("is held once", () => {
    const directory = freshDirectory();
    const first = lockDataDirectory(directory, OPTIONS);
    expect(first.held).toBe(true);
    expect(() => lockDataDirectory(directory, OPTIONS)).toThrow(
      `${directory} is used by process ${process.pid} (aitbc test), running since 2026-01-02T00:00:00.000Z`,
    );
    first[Symbol.dispose]();
    first[Symbol.dispose]();
    expect(first.held).toBe(false);
    expect(existsSync(join(directory, "lock.json"))).toBe(false);
    using second = lockDataDirectory(directory, OPTIONS);
    expect(second.held).toBe(true);
  });

  it("belongs to one process, and dies with it on SIGKILL", async () => {
    const directory = freshDirectory();
    const program = `
      import { lockDataDirectory } from ${JSON.stringify(new URL("./lock.ts", import.meta.url).href)};
      globalThis.lock = lockDataDirectory(process.argv[1], { command: "aitbc serve", now: 0 });
      console.log("locked");
      setInterval(() => {}, 1_000);`;
    const child = spawn(process.execPath, ["--input-type=module", "--eval", program, directory]);
    onTestFinished(() => void child.kill("SIGKILL"));
    await once(child.stdout, "data");
    expect(() => lockDataDirectory(directory, OPTIONS)).toThrow(
      expect.objectContaining({
        code: "DATA_IN_USE",
        message: expect.stringContaining(`process ${child.pid} (aitbc serve)`),
      }),
    );
    child.kill("SIGKILL");
    await once(child, "exit");
    using lock = lockDataDirectory(directory, OPTIONS);
    expect(lock.held).toBe(true);
  });
});
