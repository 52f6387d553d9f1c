import { chmodSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { freshDirectory } from "../../test/harness/database.ts";
import { createSecretFile, readOrCreateSecret, readSecretFile } from "./secret-file.ts";

describe("secret files", () => {
  let directory: string;
  let path: string;
  beforeEach(() => {
    directory = freshDirectory();
    path = join(directory, "keys", "one.key");
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  it("are made once, for their owner alone, and leave nothing beside them", async () => {
    expect(await readOrCreateSecret(path, () => "first")).toBe("first");
    expect(await readOrCreateSecret(path, () => "second")).toBe("first");
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(dirname(path)).mode & 0o777).toBe(0o700);
    expect(readdirSync(dirname(path))).toEqual(["one.key"]);
  });

  it("are never replaced", async () => {
    await createSecretFile(path, "first");
    await expect(createSecretFile(path, "second")).rejects.toMatchObject({ code: "DATA_UNWRITABLE" });
    expect(readFileSync(path, "utf8")).toBe("first\n");
    expect(readdirSync(dirname(path))).toEqual(["one.key"]);
  });

  it("are refused when others may read them, with the command that mends it", async () => {
    await createSecretFile(path, "first");
    chmodSync(path, 0o640);
    await expect(readSecretFile(path)).rejects.toThrow(`chmod 600 ${path}`);
  });

  it("are refused when they are too large to be a key", async () => {
    await createSecretFile(path, "first");
    writeFileSync(path, "x".repeat(5_000));
    await expect(readSecretFile(path)).rejects.toThrow("not a key file");
  });

  it("are undefined where there is none", async () => {
    expect(await readSecretFile(path)).toBeUndefined();
  });
});
