import type { Command } from "commander";
import type { StartMinerOptions } from "../actions/start-miner.ts";
import type { CliContext } from "../context.ts";
import { examples } from "../help.ts";
import { wholeNumber } from "../options.ts";

const MAX_PORT = 65_535;

const HELP = examples(
  ["aitbc miner start", "beside `aitbc serve` on this machine"],
  ["AITBC_API_KEY=… aitbc miner start --url https://host", "for a coordinator elsewhere"],
  ["aitbc miner start --model-path llama.gguf --gpu auto", "with a model of your own"],
);

export function addMinerCommands(program: Command, context: CliContext): void {
  const miner = program.command("miner").description("run jobs for a coordinator").addHelpText("after", HELP);
  miner
    .command("start")
    .description("run a miner; it dials out and needs no open port. The coordinator is the one of --url")
    .option("--coordinator-url <url>", "coordinator to work for; default: --url")
    .option("--name <name>", "name shown to people; default: this machine's")
    .option("--region <region>", "where the miner stands")
    .option("--slots <n>", "jobs that run at once")
    .option("--engine <engine>", "auto, builtin or llama")
    .option("--model-path <file>", "GGUF file for the llama engine")
    .option("--gpu <backend>", "auto, cuda, vulkan or metal, where llama.cpp has it; default: no GPU")
    .option("--threads <n>", "CPU threads of one engine; default: as many as help")
    .option("--payout <address>", "address that is paid; default: the miner's own")
    .option("--port <port>", "port for health and metrics; default: any free one", wholeNumber(0, MAX_PORT))
    .addHelpText("after", HELP)
    .action(async (_options: object, command: Command) => {
      const { startMiner } = await import("../actions/start-miner.ts");
      context.exitCode = await startMiner(context.io, command.optsWithGlobals<StartMinerOptions>());
    });
}
