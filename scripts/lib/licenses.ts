import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Metafile } from "esbuild";
import type { ThirdPartyPackage } from "../../src/app/licenses.ts";
import { mitLicense } from "./mit-license.ts";

/** A package that esbuild took a file from: the innermost folder below a node_modules. */
const PACKAGE_PATH = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/;
const LICENSE_FILE = /^(?:licen[cs]e|copying)(?:[-.].*)?$/i;
/** Files that hold further notices which a licence asks to keep. */
const NOTICE_FILE = /^notice(?:\..*)?$/i;

/** Packages without a licence file of their own, and the one of the same repository that has it. */
const SAME_REPOSITORY: Readonly<Record<string, string>> = {
  "simple-git": "@simple-git/args-pathspec",
  "@simple-git/argv-parser": "@simple-git/args-pathspec",
};

/**
 * What the native add-ons and the runtime bring along: packages that no bundle shows.
 * `@node-llama-cpp/*` is the compiled llama runtime, `node-linux-*` is Node itself.
 */
const nativePackages = (arch: string): readonly string[] => [
  "argon2",
  "better-sqlite3",
  "node-addon-api",
  `@node-llama-cpp/linux-${arch}`,
  `node-linux-${arch}`,
];

/** The sentence that stands at the top of each of SQLite's files, instead of a licence. */
const SQLITE_BLESSING = /The author disclaims copyright[\s\S]*?never taking more than you give\./;

/**
 * Names, versions and licences of everything by others in the single file, in the order of their names: the
 * packages in the bundles, those behind the native add-ons, and Node itself.
 * @throws Error naming every package whose licence text is missing.
 */
export function collectLicenses(
  root: string,
  metafiles: readonly Metafile[],
  arch: string = process.arch,
): readonly ThirdPartyPackage[] {
  const directories = [
    ...new Set([
      ...metafiles.flatMap(packagesOf),
      ...nativePackages(arch).map((name) => `node_modules/${name}`),
    ]),
  ];
  const found = directories.map((directory) => readPackage(root, directory));
  const missing = found.filter(({ text }) => text === "").map(({ name, version }) => `${name} ${version}`);
  if (missing.length > 0) throw new Error(`no licence text: ${missing.join(", ")}`);
  return [...found, ...compiledIn(root)].sort(byName);
}

/** Folders of the packages that have bytes in a bundle. */
export function packagesOf(metafile: Metafile): readonly string[] {
  const inputs = Object.values(metafile.outputs).flatMap((output) => Object.entries(output.inputs));
  const used = inputs.filter(([, { bytesInOutput }]) => bytesInOutput > 0);
  return used.flatMap(([path]) => PACKAGE_PATH.exec(path)?.[0] ?? []);
}

function readPackage(root: string, directory: string): ThirdPartyPackage {
  const path = join(root, directory);
  const { name, version, license } = JSON.parse(readFileSync(join(path, "package.json"), "utf8")) as {
    name: string;
    version: string;
    license?: string;
  };
  const lender = SAME_REPOSITORY[name];
  const text = readTexts(path) || (lender === undefined ? "" : readTexts(join(root, "node_modules", lender)));
  return { name, version, license: license ?? "see its text", text };
}

/** Licence and notices in a folder; empty where there is no licence. */
function readTexts(directory: string): string {
  if (!existsSync(directory)) return "";
  const names = readdirSync(directory).sort();
  const licenses = names.filter((name) => LICENSE_FILE.test(name));
  const notices = names.filter((name) => NOTICE_FILE.test(name));
  if (licenses.length === 0) return "";
  return [...licenses, ...notices]
    .map((name) => readFileSync(join(directory, name), "utf8").replaceAll("\r\n", "\n").trim())
    .join("\n\n");
}

/** Libraries inside the native add-ons, which publish their licence in their own repositories only. */
function compiledIn(root: string): readonly ThirdPartyPackage[] {
  const header = readFileSync(join(root, "node_modules/better-sqlite3/deps/sqlite3/sqlite3.h"), "utf8");
  const blessing = SQLITE_BLESSING.exec(header)?.[0].replaceAll(/^\*\* ?/gm, "");
  const sqlite = /#define SQLITE_VERSION\s+"([^"]+)"/.exec(header)?.[1];
  const argon2 = /^# (\d+)$/m.exec(
    readFileSync(join(root, "node_modules/argon2/argon2/CHANGELOG.md"), "utf8"),
  )?.[1];
  if (blessing === undefined || sqlite === undefined) throw new Error("sqlite3.h has another shape");
  if (argon2 === undefined) throw new Error("argon2's changelog has another shape");
  const release = readFileSync(
    join(root, "node_modules/node-llama-cpp/llama/binariesGithubRelease.json"),
    "utf8",
  );
  return [
    {
      name: "Argon2 reference implementation",
      version: argon2,
      license: "CC0-1.0 OR Apache-2.0",
      text: readTexts(join(root, "node_modules/argon2/argon2")),
    },
    { name: "SQLite", version: sqlite, license: "blessing", text: blessing },
    {
      name: "llama.cpp",
      version: (JSON.parse(release) as { release: string }).release,
      license: "MIT",
      text: mitLicense("2023-2026 The ggml authors"),
    },
    // llama.cpp's own parser of JSON.
    {
      name: "nlohmann/json",
      version: "3.12.0",
      license: "MIT",
      text: mitLicense("2013-2025 Niels Lohmann"),
    },
  ];
}

/** By name, then version, in the order of their code units: the same on every machine. */
function byName(a: ThirdPartyPackage, b: ThirdPartyPackage): number {
  const [left, right] = [`${a.name} ${a.version}`, `${b.name} ${b.version}`];
  return left < right ? -1 : left > right ? 1 : 0;
}
