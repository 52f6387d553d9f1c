import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import type { Metafile } from "esbuild";
import { build } from "esbuild";
import { beforeAll, describe, expect, it } from "vitest";
import { llamaBundle, mainBundle } from "../../esbuild.config.ts";
import { collectLicenses, packagesOf } from "./licenses.ts";

const root = resolve(import.meta.dirname, "../..");

/** A bundle made of these files, each with this many bytes in it. */
function metafileOf(inputs: Readonly<Record<string, number>>): Metafile {
  const entries = Object.entries(inputs).map(([path, bytesInOutput]) => [path, { bytesInOutput }]);
  const output = { bytes: 1, inputs: Object.fromEntries(entries), imports: [], exports: [] };
  return { inputs: {}, outputs: { "main.js": output } };
}

describe("packages of a bundle", () => {
  it("are the innermost folders, scoped ones too, without what was left out", () => {
    const metafile = metafileOf({
      "src/main.ts": 5,
      "node_modules/hono/dist/index.js": 5,
      "node_modules/@hono/node-server/dist/index.mjs": 5,
      "node_modules/pino-pretty/node_modules/sonic-boom/index.js": 5,
      "node_modules/unused/index.js": 0,
    });
    expect(packagesOf(metafile)).toEqual([
      "node_modules/hono",
      "node_modules/@hono/node-server",
      "node_modules/pino-pretty/node_modules/sonic-boom",
    ]);
  });

  it("without a licence text stop the build, each by name", () => {
    const home = mkdtempSync(join(tmpdir(), "aitbc-licenses-"));
    try {
      const directory = join(home, "node_modules/nameless");
      mkdirSync(directory, { recursive: true });
      writeFileSync(join(directory, "package.json"), '{ "name": "nameless", "version": "1.2.3" }');
      const metafile = metafileOf({ [join(relative(root, directory), "index.js")]: 1 });
      expect(() => collectLicenses(root, [metafile])).toThrow("no licence text: nameless 1.2.3");
      writeFileSync(join(directory, "LICENSE.md"), "Do what you like.");
      const found = collectLicenses(root, [metafile]).find(({ name }) => name === "nameless");
      expect(found).toMatchObject({ version: "1.2.3", text: "Do what you like." });
    } finally {
      rmSync(home, { recursive: true });
    }
  });
});

describe("licences of the single file", () => {
  let metafiles: Metafile[];
  beforeAll(async () => {
    const options = [mainBundle({ version: "0", commit: null }), llamaBundle()];
    metafiles = await Promise.all(
      options.map(async (one) => (await build({ ...one, metafile: true, absWorkingDir: root })).metafile),
    );
  });

  it("name each bundled package, the native libraries and Node, each with its text", () => {
    const found = collectLicenses(root, metafiles);
    const names = found.map(({ name }) => name);
    for (const name of [
      "hono",
      "zod",
      "kysely",
      "ws",
      "better-sqlite3",
      "node-llama-cpp",
      "SQLite",
      "llama.cpp",
    ])
      expect(names).toContain(name);
    const node = found.find(({ name }) => name.startsWith("node-linux-"));
    expect(node?.text).toContain("Node.js is licensed for use as follows");
    expect(found.find(({ name }) => name === "hono")?.text).toMatch(/Copyright \(c\) .*Yusuke Wada/);
    for (const { name, version, text } of found) {
      expect(version, name).toMatch(/\d/);
      expect(text, name).toMatch(/copyright|public domain|without warranty|unlicense/i);
    }
  });

  it("are in one order, whatever order the bundles come in", () => {
    expect(collectLicenses(root, metafiles.toReversed())).toEqual(collectLicenses(root, metafiles));
  });
});
