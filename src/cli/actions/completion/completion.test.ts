import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Argument, Command, Option } from "commander";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Io } from "../../io.ts";
import { createProgram } from "../../program.ts";
import { completionScript, type Shell } from "./completion.ts";
import { commandTree } from "./tree.ts";

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "aitbc-completion-"));
  mkdirSync(join(directory, "receipts"));
  writeFileSync(join(directory, "receipt one.json"), "");
});
afterAll(() => rmSync(directory, { recursive: true }));

const output = { columns: 80, write: () => true, once: () => {} };
// Building the tree touches the outputs' widths only.
const program = createProgram({ io: { stdout: output, stderr: output } as unknown as Io, exitCode: 0 });

/** Has a real bash complete the last of the words, and returns what it offers. */
function complete(...words: readonly string[]): readonly string[] {
  const script = `${completionScript(program, "bash")}
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_aitbc
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const args = ["--norc", "--noprofile", "-c", script, "bash", "aitbc", ...words];
  const text = execFileSync("bash", args, { cwd: directory, encoding: "utf8" });
  return text.split("\n").filter((line) => line !== "");
}

describe("bash", () => {
  it.each([
    [["cl"], ["client"]],
    [["client", "sub"], ["submit"]],
    [["client", "submit", "--prom"], ["--prompt"]],
    [["--output", "y"], ["yaml"]],
    [["--output", "=", "j"], ["json"]],
    [
      ["--output", "="],
      ["table", "json", "yaml"],
    ],
    [
      ["--url", "http://h", "keys", "create", "--kind", ""],
      ["admin", "client", "miner"],
    ],
    [["keys", "--data-dir", "x", "cr"], ["create"]],
    [
      ["completion", ""],
      ["bash", "zsh", "fish"],
    ],
    [
      ["receipt", "verify", "rec"],
      ["receipts", "receipt one.json"],
    ],
    [["--data-dir", "rec"], ["receipts"]],
    [["help", "ser"], ["serve"]],
    [["client", "status", "cl"], []],
    [["--api-key", ""], []],
    [["receipt", "verify", "--", "--out"], []],
  ])("completes %j to %j", (words, offered) => {
    expect(complete(...words).toSorted()).toEqual(offered.toSorted());
  });

  it("knows every command and every option of the program", () => {
    for (const node of commandTree(program)) {
      if (node.commands.length > 0) {
        expect(complete(...node.path, "")).toEqual(node.commands.map(({ name }) => name));
      }
      const names = node.options.flatMap((option) => option.names);
      expect(complete(...node.path, "-").toSorted(), node.path.join(" ")).toEqual(names.toSorted());
    }
  });
});

/** A shell's own check of syntax; undefined where the shell is not installed. */
function syntaxError(shell: Shell, script: string): string | undefined {
  const file = join(directory, `script.${shell}`);
  writeFileSync(file, script);
  const { error, stderr } = spawnSync(shell, ["-n", file], { encoding: "utf8" });
  return error ? undefined : stderr;
}

/** Whether quotes and brackets outside of quotes match, as these scripts write them. */
function isBalanced(script: string): boolean {
  const code = script
    .split("\n")
    .filter((line) => !line.startsWith("#"))
    .join("\n")
    .replaceAll(/\\./g, "")
    .replaceAll(/'[^']*'/g, "")
    .replaceAll(/"[^"]*"/g, "");
  const count = (sign: string): number => code.split(sign).length - 1;
  return !/['"]/.test(code) && count("{") === count("}");
}

describe.each(["zsh", "fish"] as const)("%s", (shell) => {
  const script = completionScript(program, shell);

  it("gets a script that is well formed and says how it is installed", () => {
    expect(script).toContain(`aitbc completion ${shell} > ~/`);
    expect(isBalanced(script)).toBe(true);
    expect(syntaxError(shell, script) ?? "").toBe("");
  });

  it("gets every command, option and choice", () => {
    for (const node of commandTree(program)) {
      const at = shell === "zsh" ? node.path.join("_").replaceAll("-", "_") : node.path.join(" ");
      expect(script).toContain(shell === "zsh" ? `_aitbc${at && `_${at}`}() {` : `__aitbc_at \\'${at}\\'`);
      for (const { names, value } of node.options) {
        for (const name of names)
          expect(script).toContain(shell === "zsh" ? name : ` ${name.replace(/^--?/, "")} `);
        if (value?.kind === "choices") expect(script).toContain(value.choices.join(" "));
      }
    }
  });
});

describe("the tree", () => {
  it("tells files, directories and choices by how a command names them, and leaves hidden options out", () => {
    const made = new Command("x");
    made
      .command("y")
      .addArgument(new Argument("<file>"))
      .addArgument(new Argument("[rest...]"))
      .option("--model-path <file>", "a")
      .option("-d, --data-dir <directory>", "b")
      .addOption(new Option("--kind <kind>", "c").choices(["p", "q"]))
      .option("--switch", "d")
      .addOption(new Option("--secret").hideHelp());
    const node = commandTree(made).find(({ path }) => path[0] === "y");
    expect(node?.options.map(({ names, value }) => [names.join(), value?.kind])).toEqual([
      ["--model-path", "file"],
      ["--data-dir,-d", "directory"],
      ["--kind", "choices"],
      ["--switch", undefined],
      ["--help,-h", undefined],
    ]);
    expect(node?.arguments.map(({ value, variadic }) => [value.kind, variadic])).toEqual([
      ["file", false],
      ["any", true],
    ]);
  });

  it("survives descriptions with every sign that shells give a meaning", () => {
    const made = new Command("x");
    made.option("--odd <value>", `it's [a] "test": $HOME \`id\` \\ (b) {c}`);
    for (const shell of ["bash", "zsh", "fish"] as const) {
      expect(syntaxError(shell, completionScript(made, shell)) ?? "").toBe("");
    }
    expect(completionScript(made, "zsh")).toContain("it'\\''s \\[a\\] \"test\"\\:");
  });
});
