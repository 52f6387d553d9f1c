import type { Command } from "commander";
import { ERRORS } from "../../kernel/errors.ts";
import type { CheckResult, Status } from "../actions/doctor/check.ts";
import type { CliContext } from "../context.ts";
import { printResult } from "../format.ts";
import { examples } from "../help.ts";
import { type Io, writeLine } from "../io.ts";
import type { GlobalOptions } from "../options.ts";
import { loadCommandConfig } from "../session.ts";
import { painter, type Style } from "../style.ts";

const STYLES: Readonly<Record<Status, Style>> = { ok: "green", info: "dim", warn: "yellow", fail: "red" };
/** Width of the longest status and of the longest name. */
const STATUS_WIDTH = 6;
const NAME_WIDTH = 18;

/** Shows one result on its line as soon as it is known, and below it what to do. */
function show(io: Io, { check, status, found, mend }: CheckResult): void {
  const paint = painter(io.stdout, io.env);
  io.stdout.write(paint(STYLES[status], status.padEnd(STATUS_WIDTH)));
  writeLine(io.stdout, `${check.replaceAll("_", " ").padEnd(NAME_WIDTH)}${found}`);
  if (mend !== null) writeLine(io.stdout, `${" ".repeat(STATUS_WIDTH)}→ ${mend}`);
}

function summarize(results: readonly CheckResult[]): string {
  const count = (status: Status): number => results.filter((result) => result.status === status).length;
  const [warnings, failures] = [count("warn"), count("fail")];
  return failures + warnings === 0
    ? `all ${results.length} checks are fine`
    : `${failures} failed, ${warnings} to look at, of ${results.length} checks`;
}

export function addDoctorCommand(program: Command, context: CliContext): void {
  const { io } = context;
  program
    .command("doctor")
    .description("check this machine, its disk, the configuration and the daemon; changes nothing")
    .addHelpText(
      "after",
      examples(
        ["aitbc doctor", "what is right, what is not, and how to mend it"],
        ["aitbc doctor --data-dir /var/lib/aitbc", "as the user that the service runs as"],
        ["aitbc doctor --output json", "for a script; the exit code tells whether a check failed"],
      ),
    )
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const { output = "table" } = options;
      const { diagnose } = await import("../actions/doctor/doctor.ts");
      const results: CheckResult[] = [];
      for await (const result of diagnose(() => loadCommandConfig(io, options))) {
        results.push(result);
        if (output === "table") show(io, result);
      }
      const failed = results.find(({ status }) => status === "fail");
      await printResult(io, output, { healthy: failed === undefined, checks: results }, () =>
        summarize(results),
      );
      if (failed?.code) context.exitCode = ERRORS[failed.code].exit;
    });
}
