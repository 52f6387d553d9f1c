import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import {
  GOOD_PASSWORD,
  keystoreIn,
  OTHER_PASSWORD,
  secret,
  temporaryDirectory,
} from "../../../../test/harness/keystore.ts";
import type { KilledWrite } from "../../../../test/harness/keystore-killed.ts";
import { type Disk, systemDisk } from "./files.ts";

const PROGRAM = resolve(import.meta.dirname, "../../../../test/harness/keystore-killed.ts");

/** Runs a write that is killed at a step; tells whether it was, and of how many steps it has. */
function runKilled(...args: KilledWrite) {
  const { signal, stdout, stderr, status } = spawnSync(process.execPath, [PROGRAM, ...args], {
    encoding: "utf8",
  });
  if (signal === null && status !== 0) throw new Error(stderr);
  return { killed: signal === "SIGKILL", steps: Number.parseInt(stdout, 10) };
}

/** Which of two passwords opens a wallet. */
async function opensWith(directory: string, walletId: string): Promise<string | undefined> {
  for (const password of [GOOD_PASSWORD, OTHER_PASSWORD]) {
    const opened = await keystoreIn(directory)
      .exportPhrase(walletId, secret(password))
      .catch((error) => error.code);
    if (typeof opened !== "string") return password;
    if (opened !== "INVALID_CREDENTIALS") return undefined;
  }
  return undefined;
}

describe("a write that is killed", () => {
  it("leaves the old file or the new one, whichever step it was at", { timeout: 120_000 }, async () => {
    using whole = temporaryDirectory();
    await keystoreIn(whole.path).create({ walletId: "main", password: secret(GOOD_PASSWORD) });
    const { steps } = runKilled(whole.path, "change", "none", "before");
    expect(steps).toBeGreaterThan(7);
    const outcomes = new Set<string | undefined>();
    // Before each step, and after the last one.
    for (let step = 0; step <= steps; step++) {
      using temporary = temporaryDirectory();
      await keystoreIn(temporary.path).create({ walletId: "main", password: secret(GOOD_PASSWORD) });
      const last = step === steps;
      const { killed } = runKilled(
        temporary.path,
        "change",
        String(last ? step - 1 : step),
        last ? "after" : "before",
      );
      expect(killed).toBe(true);
      const password = await opensWith(temporary.path, "main");
      expect({ step, password }).toEqual({ step, password: expect.any(String) });
      outcomes.add(password);
      // What it left behind hinders nobody, and is gone with the next write.
      const keystore = keystoreIn(temporary.path);
      expect((await keystore.list()).damaged).toEqual([]);
      await keystore.changePassword("main", secret(password ?? ""), secret("Third-Password-3"));
      expect(readdirSync(temporary.path)).toEqual(["main.json"]);
    }
    expect(outcomes).toEqual(new Set([GOOD_PASSWORD, OTHER_PASSWORD]));
  });

  it("leaves a new file whole or not at all", { timeout: 120_000 }, async () => {
    using whole = temporaryDirectory();
    const { steps } = runKilled(whole.path, "create", "none", "before");
    const outcomes = new Set<string | undefined>();
    for (let step = 0; step < steps; step++) {
      using temporary = temporaryDirectory();
      expect(runKilled(temporary.path, "create", String(step), "before").killed).toBe(true);
      const { wallets, damaged } = await keystoreIn(temporary.path).list();
      expect(damaged).toEqual([]);
      if (wallets.length > 0) expect(await opensWith(temporary.path, "new")).toBe(GOOD_PASSWORD);
      outcomes.add(wallets.length > 0 ? "there" : "absent");
    }
    expect(outcomes).toEqual(new Set(["there", "absent"]));
  });
});

describe("a write", () => {
  it("reaches the disk before it takes its place, and its place before it is done", async () => {
    using temporary = temporaryDirectory();
    const steps: string[] = [];
    const recording = new Proxy(systemDisk, {
      get(disk, name) {
        steps.push(String(name));
        return Reflect.get(disk, name);
      },
    });
    const keystore = keystoreIn(temporary.path, undefined, recording);
    await keystore.create({ walletId: "main", password: secret(GOOD_PASSWORD) });
    const flushed = ["create", "write", "sync", "close", "read"];
    // The last read is of the wallet that is told about.
    expect(steps.splice(0)).toEqual([...flushed, "link", "unlink", "syncDirectory", "read"]);
    await keystore.changePassword("main", secret(GOOD_PASSWORD), secret(OTHER_PASSWORD));
    expect(steps.splice(0)).toEqual(["read", ...flushed, "read", "rename", "syncDirectory"]);
    await keystore.delete("main", secret(OTHER_PASSWORD));
    expect(steps).toEqual(["read", "unlink", "syncDirectory"]);
  });
});

describe("a write that fails", () => {
  const failing = (change: Partial<Disk>): Disk => ({ ...systemDisk, ...change });

  it("on a full disk leaves the old file, and nothing beside it", async () => {
    using temporary = temporaryDirectory();
    await keystoreIn(temporary.path).create({ walletId: "main", password: secret(GOOD_PASSWORD) });
    const full = failing({
      write: () => Promise.reject(Object.assign(new Error("full"), { code: "ENOSPC" })),
    });
    const change = keystoreIn(temporary.path, undefined, full).changePassword(
      "main",
      secret(GOOD_PASSWORD),
      secret(OTHER_PASSWORD),
    );
    await expect(change).rejects.toMatchObject({
      code: "DATA_UNWRITABLE",
      message: expect.stringContaining("no space left"),
    });
    expect(await opensWith(temporary.path, "main")).toBe(GOOD_PASSWORD);
    expect(readdirSync(temporary.path)).toEqual(["main.json"]);
  });

  it("because the disk keeps other bytes does not replace the old file", async () => {
    using temporary = temporaryDirectory();
    await keystoreIn(temporary.path).create({ walletId: "main", password: secret(GOOD_PASSWORD) });
    const lying = failing({
      write: (file, bytes) => systemDisk.write(file, bytes.with(100, (bytes[100] ?? 0) ^ 1)),
    });
    const change = keystoreIn(temporary.path, undefined, lying).changePassword(
      "main",
      secret(GOOD_PASSWORD),
      secret(OTHER_PASSWORD),
    );
    await expect(change).rejects.toMatchObject({ code: "KEYSTORE_DAMAGED" });
    expect(await opensWith(temporary.path, "main")).toBe(GOOD_PASSWORD);
  });

  it("because another process changed the wallet meanwhile keeps that one's change", async () => {
    using temporary = temporaryDirectory();
    const other = keystoreIn(temporary.path);
    await other.create({ walletId: "main", password: secret(GOOD_PASSWORD) });
    const { address } = await other.get("main");
    let interfered = false;
    const late = failing({
      async sync(file) {
        await systemDisk.sync(file);
        if (interfered) return;
        interfered = true;
        await other.changePassword("main", secret(GOOD_PASSWORD), secret(OTHER_PASSWORD));
      },
    });
    const label = keystoreIn(temporary.path, undefined, late).setLabel(
      "main",
      secret(GOOD_PASSWORD),
      address,
      "x",
    );
    await expect(label).rejects.toMatchObject({ code: "CONFLICT_STATE" });
    expect(await opensWith(temporary.path, "main")).toBe(OTHER_PASSWORD);
  });
});
