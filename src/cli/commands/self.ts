import type { Command } from "commander";
import type { Plan, StepReport } from "../actions/self-install/install.ts";
import { PLACES, type ServiceInput } from "../actions/self-install/service.ts";
import type { CliContext } from "../context.ts";
import { printResult } from "../format.ts";
import { examples } from "../help.ts";
import { type Io, writeLine } from "../io.ts";
import type { GlobalOptions } from "../options.ts";
import { painter } from "../style.ts";

interface InstallOptions extends GlobalOptions, ServiceInput {
  readonly dryRun?: boolean;
}

const STATE_WIDTH = 9;

/** Takes a plan's steps, telling each, and prints what came of it; `closing` is said to people at the end. */
async function run(io: Io, plan: Plan, options: InstallOptions, closing: readonly string[]): Promise<void> {
  const { carryOut } = await import("../actions/self-install/install.ts");
  const { dryRun = false, output = "table" } = options;
  const paint = painter(io.stderr, io.env);
  if (dryRun) {
    for (const { message } of plan.refusals) {
      io.stderr.write(paint("yellow", "warning: "));
      writeLine(io.stderr, `without --dry-run this is refused: ${message}`);
    }
  }
  const steps: StepReport[] = [];
  for await (const report of carryOut(plan, { dryRun })) {
    steps.push(report);
    if (output === "table") writeLine(io.stdout, describe(report));
  }
  const { unit } = plan;
  await printResult(io, output, { dry_run: dryRun, steps, unit_path: PLACES.unit, unit }, () =>
    dryRun ? (unit === null ? "" : `\n${PLACES.unit}:\n\n${unit.trimEnd()}`) : closing.join("\n"),
  );
}

function describe({ step, command, state }: StepReport): string {
  const line = `${state.padEnd(STATE_WIDTH)}${step}`;
  return state === "planned" ? `${line}\n${" ".repeat(STATE_WIDTH)}$ ${command}` : line;
}

const INSTALLED = [
  "the service runs; look at it with: systemctl status aitbc, journalctl -u aitbc",
  `  → as root: aitbc client submit --data-dir ${PLACES.data} --prompt "What is 37 + 45?"`,
  `  → settings: ${PLACES.config}/config.json, then: systemctl restart aitbc`,
];

const REMOVED = [
  `the service is gone. Its data stays in ${PLACES.data}, its configuration in ${PLACES.config}, and its user too:`,
  `  → only if you need no job, key or receipt of it any more: rm -r ${PLACES.data} ${PLACES.cache} ${PLACES.config}`,
];

export function addSelfCommands(program: Command, { io }: CliContext): void {
  const self = program
    .command("self")
    .description("install this program as a service, or remove it")
    .addHelpText(
      "after",
      examples(
        ["aitbc self install --dry-run", "show every step and the systemd unit; changes nothing"],
        ["sudo ./aitbc self install", "a hardened service, started now and with the machine"],
        ["sudo aitbc self uninstall", "remove the service; its data stays"],
      ),
    );

  self
    .command("install")
    .description("install this executable as a hardened systemd service; doing it again updates it")
    .option("--dry-run", "show what would be done, and the unit")
    .option("--user <name>", "system user of the service, made if it is not there; default aitbc")
    .option("--roles <roles>", "roles to run, comma-separated; default: as configured")
    .option("--prefix <directory>", "folder whose bin/ gets the executable; default /usr/local")
    .addHelpText(
      "after",
      examples(
        ["sudo ./aitbc self install --roles coordinator", "a coordinator for miners elsewhere"],
        ["aitbc self install --dry-run --output json", "steps and unit for another tool"],
      ),
    )
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<InstallOptions>();
      const [{ planInstall }, { parseService }, { thisHost }] = await Promise.all([
        import("../actions/self-install/install.ts"),
        import("../actions/self-install/service.ts"),
        import("../actions/self-install/host.ts"),
      ]);
      await run(io, await planInstall(thisHost(), parseService(options)), options, INSTALLED);
    });

  self
    .command("uninstall")
    .description("remove service, unit and executable; data, configuration and user stay")
    .option("--dry-run", "show what would be done")
    .addHelpText("after", examples(["sudo aitbc self uninstall", "install again to go on where it stopped"]))
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<InstallOptions>();
      const [{ planUninstall }, { thisHost }] = await Promise.all([
        import("../actions/self-install/install.ts"),
        import("../actions/self-install/host.ts"),
      ]);
      await run(io, planUninstall(thisHost()), options, REMOVED);
    });
}
