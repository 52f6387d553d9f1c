/** Every route and every command has a process test: new ones cannot be forgotten. */
import { globSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { Command } from "commander";
import { describe, expect, it } from "vitest";
import { createProcessIo } from "../../src/cli/process-io.ts";
import { createProgram } from "../../src/cli/program.ts";

/** Routes as `Api.call` and the tables of calls name them. */
const ROUTE = /"((?:GET|POST|PUT|DELETE) \/[^"]*)"/g;
/** Started by the harness for nearly every process test, with `Sandbox.serve`. */
const BY_HARNESS = ["aitbc serve"];

const files = globSync("*.test.ts", { cwd: import.meta.dirname })
  .filter((name) => name !== basename(import.meta.filename))
  .map((name) => readFileSync(join(import.meta.dirname, name), "utf8"));

function listNamedRoutes(): string[] {
  const names = files.flatMap((text) => [...text.matchAll(ROUTE)].map(([, name]) => name ?? ""));
  return [...new Set(names)].sort();
}

/** Whether a test runs a command: by its name for `terminalOf`, or with its words as the first arguments. */
function isRun(command: string): boolean {
  const words = command.split(" ").slice(1);
  const args = words.map((word) => `"${word}"`).join(",\\s*");
  const call = new RegExp(`\\(\\s*"${command}"[,)]|(?:[([]|binary,)\\s*${args}[,\\])]`);
  return files.some((text) => call.test(text));
}

/** Listeners, each with its own description of what it serves. */
const INTERFACES = ["openapi.json", "wallet-openapi.json"];

/** The operations of the published interfaces. */
function listRoutes(): string[] {
  const routes = INTERFACES.flatMap((file) => {
    const text = readFileSync(join(import.meta.dirname, "../../protocols", file), "utf8");
    const { paths } = JSON.parse(text) as { paths: Record<string, object> };
    return Object.entries(paths).flatMap(([path, item]) =>
      Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`),
    );
  });
  return [...new Set(routes)].sort();
}

/** The commands that do something: the leaves of the tree. */
function listCommands(): string[] {
  const leaves = (command: Command, path: string): string[] =>
    command.commands.length === 0
      ? [path]
      : command.commands.flatMap((child) => leaves(child, `${path} ${child.name()}`));
  return leaves(createProgram({ io: createProcessIo(), exitCode: 0 }), "aitbc").sort();
}

describe("process tests", () => {
  it("call every route of the OpenAPI documents, and no other", () => {
    const routes = listRoutes();
    expect(routes.length).toBeGreaterThan(50);
    expect(listNamedRoutes()).toEqual(routes);
  });

  it("run every command of the program", () => {
    const commands = listCommands();
    expect(commands.length).toBeGreaterThan(40);
    expect(commands.filter((command) => !BY_HARNESS.includes(command) && !isRun(command))).toEqual([]);
  });
});
