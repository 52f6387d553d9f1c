import { basename, delimiter, dirname, relative } from "node:path";
import { programCommand } from "../app/native.ts";
import type { Io } from "./io.ts";

/** A path as a person in `cwd` would type it. */
function typed(path: string, cwd: string): string {
  const near = relative(cwd, path);
  return near.startsWith("..") ? path : `./${near}`;
}

/** What to type to run this program: its bare name where the shell finds it, else the way to it. */
export function programName({ env, cwd }: Pick<Io, "env" | "cwd">): string {
  const [program = "", ...args] = programCommand();
  const onPath = (env["PATH"] ?? "").split(delimiter).includes(dirname(program));
  const name = onPath ? basename(program) : typed(program, cwd);
  return [name, ...args.map((path) => typed(path, cwd))].join(" ");
}
