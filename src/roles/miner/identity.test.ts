import { chmod, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { addressOfKey } from "../../crypto/address.ts";
import { systemRandomBytes } from "../../kernel/ids.ts";
import { loadIdentity } from "./identity.ts";

let directory = "";
let file = "";
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "miner-identity-"));
  file = join(directory, "miner", "identity.key");
});
afterEach(() => rm(directory, { recursive: true }));

const load = () => loadIdentity(file, systemRandomBytes);

describe("loadIdentity", () => {
  it("makes a key at the first start, for its owner alone, and finds it again", async () => {
    const first = await load();
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await readFile(file, "utf8")).toMatch(/^[0-9a-f]{64}\n$/);
    const second = await load();
    expect(second.minerId).toBe(first.minerId);
    expect(second.minerId).toBe(addressOfKey(first.publicKey));
  });

  it("refuses a key that others may read", async () => {
    await load();
    await chmod(file, 0o640);
    await expect(load()).rejects.toMatchObject({
      code: "DATA_UNWRITABLE",
      message: expect.stringContaining("chmod 600"),
    });
  });

  it("refuses a file that holds no key, and does not repeat what it holds", async () => {
    await load();
    await writeFile(file, "not-a-key-but-secret\n");
    const error = await load().catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: "DATA_UNWRITABLE" });
    expect(String(error)).toContain("holds no key");
    expect(String(error)).not.toContain("but-secret");
  });
});
