import { mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { freshDirectory } from "../../../../test/harness/database.ts";
import { sha256Hex } from "../../../crypto/hash.ts";
import { ArtifactFiles } from "./files.ts";

const TEXT = "content";
const SHA256 = sha256Hex(TEXT);

async function* parts(...texts: readonly string[]): AsyncGenerator<Uint8Array, void, void> {
  for (const text of texts) yield Buffer.from(text);
}

async function* broken(): AsyncGenerator<Uint8Array, void, void> {
  yield Buffer.from("half");
  throw new Error("gone");
}

async function opened(directory = join(freshDirectory(), "artifacts")): Promise<{
  files: ArtifactFiles;
  directory: string;
}> {
  const files = new ArtifactFiles(directory);
  await files.open();
  return { files, directory };
}

describe("files of artifacts", () => {
  it("are named by what came, and nobody else may read them", async () => {
    const { files, directory } = await opened();
    const upload = await files.receive("one", parts("con", "tent"));
    expect([upload.sha256, upload.sizeBytes, await files.has(SHA256)]).toEqual([SHA256, TEXT.length, false]);
    await files.keep(upload);
    expect(await files.has(SHA256)).toBe(true);
    expect(statSync(join(directory, SHA256.slice(0, 2), SHA256)).mode & 0o777).toBe(0o600);
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    expect(await new Response(files.read(SHA256, { start: 3, end: 7 })).text()).toBe("tent");
  });

  it("leave nothing of what broke off", async () => {
    const { files, directory } = await opened();
    await expect(files.receive("one", broken())).rejects.toThrow("gone");
    expect(readdirSync(join(directory, "uploads"))).toEqual([]);
  });

  it("forget at the start what an earlier process did not finish", async () => {
    const directory = join(freshDirectory(), "artifacts");
    mkdirSync(join(directory, "uploads"), { recursive: true });
    writeFileSync(join(directory, "uploads", "one"), "half");
    await opened(directory);
    expect(readdirSync(join(directory, "uploads"))).toEqual([]);
  });

  it("are not opened before somebody reads, and a download can be left", async () => {
    const { files } = await opened();
    await files.keep(await files.receive("one", parts(TEXT)));
    const stream = files.read(SHA256, { start: 0, end: TEXT.length });
    await files.remove(SHA256);
    await expect(new Response(stream).text()).rejects.toThrow("ENOENT");
    await files.read(SHA256, { start: 0, end: 1 }).cancel();
  });

  it("that are cut short end their download with an error, never as if they were whole", async () => {
    const { files, directory } = await opened();
    await files.keep(await files.receive("one", parts(TEXT)));
    writeFileSync(join(directory, SHA256.slice(0, 2), SHA256), "con");
    await expect(new Response(files.read(SHA256, { start: 0, end: 7 })).text()).rejects.toThrow("cut short");
  });
});
