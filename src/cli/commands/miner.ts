import type { Command } from "commander";
import { MAX_PAGE, MAX_TOKENS } from "../../wire/limits.ts";
import type { MinerBenchOptions } from "../actions/miner-bench.ts";
import type { DrainMinerOptions, MinerJobsOptions } from "../actions/miner-work.ts";
import type { StartMinerOptions } from "../actions/start-miner.ts";
import type { CliContext } from "../context.ts";
import { addEngineOptions, ENGINE_FLAGS } from "../engine-options.ts";
import { examples } from "../help.ts";
import { type GlobalOptions, wholeNumber } from "../options.ts";

const MAX_PORT = 65_535;
/** Most tokens of a measured answer: a few seconds on a slow machine. */
const BENCH_TOKENS = 128;

const HELP = examples(
  ["aitbc miner start", "beside `aitbc serve` on this machine"],
  ["AITBC_API_KEY=… aitbc miner start --url https://host", "for a coordinator elsewhere"],
  ["aitbc miner start --model-path llama.gguf --gpu auto", "with a model of your own"],
);

export function addMinerCommands(program: Command, context: CliContext): void {
  const miner = program.command("miner").description("run jobs for a coordinator").addHelpText("after", HELP);
  addEngineOptions(miner.command("start"))
    .description("run a miner; it dials out and needs no open port. The coordinator is the one of --url")
    .option("--coordinator-url <url>", "coordinator to work for; default: --url")
    .option("--name <name>", "name shown to people; default: this machine's")
    .option("--region <region>", "where the miner stands")
    .option("--slots <n>", "jobs that run at once")
    .option("--price <ait>", "asking price in AIT per 1,000,000 units; default: the coordinator's")
    .option("--payout <address>", "address that is paid; default: the miner's own")
    .option("--port <port>", "port for health and metrics; default: any free one", wholeNumber(0, MAX_PORT))
    .addHelpText("after", HELP)
    .action(async (_options: object, command: Command) => {
      const { startMiner } = await import("../actions/start-miner.ts");
      context.exitCode = await startMiner(context.io, command.optsWithGlobals<StartMinerOptions>());
    });
  addBenchCommand(miner, context);
  addPullCommand(miner, context);
  addWorkCommands(miner, context);
  addStateCommands(miner, context);
}

const MAX_OFFSET = 10_000;

function addStateCommands(miner: Command, { io }: CliContext): void {
  miner
    .command("status [miner]")
    .description(
      "how a miner stands at the coordinator, its models and speeds; default: this machine's miner",
    )
    .addHelpText("after", examples(["aitbc miner status", "of the miner on this machine"]))
    .action(async (id: string | undefined, _options: object, command: Command) => {
      const { printMinerStatus } = await import("../actions/miner-work.ts");
      await printMinerStatus(io, command.optsWithGlobals<GlobalOptions>(), id);
    });
  miner
    .command("drain [miner]")
    .description("keep a miner from new jobs, also after a restart; running ones go on")
    .option("--undo", "give it jobs again")
    .addHelpText(
      "after",
      examples(
        ["aitbc miner drain", "before the machine is switched off"],
        ["aitbc miner drain --undo", "jobs again"],
      ),
    )
    .action(async (id: string | undefined, _options: object, command: Command) => {
      const { drainMiner } = await import("../actions/miner-work.ts");
      await drainMiner(io, command.optsWithGlobals<DrainMinerOptions>(), id);
    });
}

function addWorkCommands(miner: Command, { io }: CliContext): void {
  miner
    .command("jobs [miner]")
    .description("what a miner ran for the coordinator, newest first; default: this machine's miner")
    .option("--limit <n>", "most jobs", wholeNumber(1, MAX_PAGE))
    .option("--offset <n>", "jobs to pass over", wholeNumber(0, MAX_OFFSET))
    .addHelpText(
      "after",
      examples(
        ["aitbc miner jobs", "of the miner on this machine"],
        ["aitbc miner jobs --limit 5 --output json", "the last five, for a script"],
      ),
    )
    .action(async (id: string | undefined, _options: object, command: Command) => {
      const { printMinerJobs } = await import("../actions/miner-work.ts");
      await printMinerJobs(io, command.optsWithGlobals<MinerJobsOptions>(), id);
    });
  miner
    .command("earnings [miner]")
    .description("what a miner earned at the coordinator; default: this machine's miner")
    .addHelpText("after", examples(["aitbc miner earnings", "of the miner on this machine"]))
    .action(async (id: string | undefined, _options: object, command: Command) => {
      const { printMinerEarnings } = await import("../actions/miner-work.ts");
      await printMinerEarnings(io, command.optsWithGlobals<GlobalOptions>(), id);
    });
}

function addBenchCommand(miner: Command, context: CliContext): void {
  addEngineOptions(miner.command("bench"))
    .description("measure the models of this machine: tokens a second, time to the first token")
    .option("--model <name...>", "only these models; default: all")
    .option("--tokens <n>", "most tokens of an answer", wholeNumber(2, MAX_TOKENS), BENCH_TOKENS)
    .addHelpText(
      "after",
      examples(
        ["aitbc miner bench", "all engines, all models"],
        ["aitbc miner bench --engine ollama --output json", "for a script"],
      ),
    )
    .action(async (_options: object, command: Command) => {
      const { benchMiner } = await import("../actions/miner-bench.ts");
      const options = command.optsWithGlobals<MinerBenchOptions>();
      context.exitCode = await benchMiner(context.io, options, ENGINE_FLAGS);
    });
}

function addPullCommand(miner: Command, { io }: CliContext): void {
  miner
    .command("pull <model>")
    .description("let this machine's Ollama fetch a model, for miners to offer")
    .option("--ollama-url <url>", "Ollama server; default: the one on this machine")
    .addHelpText("after", examples(["aitbc miner pull llama3.2", "from Ollama's library"]))
    .action(async (model: string, _options: object, command: Command) => {
      const { pullMinerModel } = await import("../actions/miner-pull.ts");
      await pullMinerModel(io, model, command.optsWithGlobals<GlobalOptions>());
    });
}
