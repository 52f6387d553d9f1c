import type { Command } from "commander";
import type { CliContext } from "../context.ts";
import { examples } from "../help.ts";
import type { FlagMap, GlobalOptions } from "../options.ts";
import { loadCommandConfig } from "../session.ts";

const FLAGS: FlagMap = {
  roles: ["--roles", "roles"],
  host: ["--host", "http.host"],
  port: ["--port", "http.port"],
  logLevel: ["--log-level", "log.level"],
  logFormat: ["--log-format", "log.format"],
};

export function addServeCommand(program: Command, context: CliContext): void {
  const { io } = context;
  program
    .command("serve")
    .description("run the daemon: coordinator and miner, or the roles that you name")
    .option("--roles <roles>", "roles to run, comma-separated; default coordinator,miner")
    .option("--host <address>", "address to listen on; default 127.0.0.1, this machine only")
    .option("--port <port>", "port to listen on; default 8000, 0 takes any free one")
    .option("--log-level <level>", "debug, info, warn, error, fatal or silent")
    .option("--log-format <format>", "auto, json or pretty")
    .addHelpText(
      "after",
      examples(
        ["aitbc serve", "a whole network on this machine"],
        ["aitbc serve --roles coordinator --host 0.0.0.0", "a coordinator for miners elsewhere"],
        ["aitbc serve --data-dir ./data --port 9000", "a second one beside the first"],
        ["aitbc serve --roles wallet", "the wallet's own listener, on 127.0.0.1:8071"],
      ),
    )
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const load = async () => (await loadCommandConfig(io, options, FLAGS)).config;
      const { runDaemon } = await import("../actions/run-daemon.ts");
      context.exitCode = await runDaemon(io, load, options);
    });
}
