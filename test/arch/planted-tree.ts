import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";

const ROOT = resolve(import.meta.dirname, "../..");

/** An import to write into a file: `to` is a path from the tree's root, or the name of a package. */
export interface PlantedImport {
  readonly from: string;
  readonly to: string;
  readonly kind: "value" | "type";
}

export interface CheckResult {
  readonly exitCode: number | null;
  readonly lines: readonly string[];
}

/** A small source tree in a fresh directory, over the project's own packages; removed when disposed. */
export class PlantedTree implements Disposable {
  readonly root = mkdtempSync(join(tmpdir(), "aitbc-arch-"));

  constructor() {
    symlinkSync(join(ROOT, "node_modules"), join(this.root, "node_modules"));
    symlinkSync(join(ROOT, "package.json"), join(this.root, "package.json"));
  }

  /** Writes the importing file; the imported one too, where it is a path inside a folder that exists not yet. */
  plant({ from, to, kind }: PlantedImport): void {
    const isPath = /^(src|test|scripts)\//.test(to);
    const specifier = isPath ? toSpecifier(from, to) : to;
    const text =
      kind === "value"
        ? `import * as planted from "${specifier}";\nexport const Thing = planted;\n`
        : `import type * as planted from "${specifier}";\nexport type Thing = typeof planted;\n`;
    this.write(from, text);
    if (isPath && !existsSync(join(this.root, to))) this.write(to, "export const Thing = 1;\n");
  }

  /** Runs the project's own check over the tree; `args` are its flags. */
  check(...args: readonly string[]): CheckResult {
    const script = join(ROOT, "scripts/check-dependencies.ts");
    const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], {
      cwd: this.root,
      encoding: "utf8",
    });
    return { exitCode: status, lines: `${stdout}${stderr}`.trimEnd().split("\n") };
  }

  write(path: string, text: string): void {
    const file = join(this.root, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }

  [Symbol.dispose](): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}

function toSpecifier(from: string, to: string): string {
  const path = relative(dirname(from), to);
  return path.startsWith(".") ? path : `./${path}`;
}
