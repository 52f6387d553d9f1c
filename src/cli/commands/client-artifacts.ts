import type { Command } from "commander";
import type { GetOptions, PutOptions } from "../actions/artifacts.ts";
import type { CliContext } from "../context.ts";
import { examples } from "../help.ts";
import type { GlobalOptions } from "../options.ts";

const ANY_TYPE = "application/octet-stream";

export function addArtifactCommands(client: Command, { io }: CliContext): void {
  const artifact = client
    .command("artifact")
    .description("content that is kept under its SHA-256: inputs and results that are large")
    .addHelpText(
      "after",
      examples(
        ["id=$(aitbc client artifact put photo.png --type image/png)", "upload a file; its name is printed"],
        ["aitbc client artifact get $id --file photo.png", "download it, and check its SHA-256"],
      ),
    );

  artifact
    .command("put <file>")
    .description("upload a file; the artifact's name is printed")
    .option("--type <media-type>", "what it is", ANY_TYPE)
    .action(async (file: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<PutOptions>();
      await (await import("../actions/artifacts.ts")).putArtifact(io, options, file);
    });

  artifact
    .command("get <sha256>")
    .description("download an artifact; what broke off goes on where it was")
    .option("-o, --file <file>", "where to; absent: a file of its name")
    .action(async (reference: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<GetOptions>();
      await (await import("../actions/artifacts.ts")).getArtifact(io, options, reference);
    });

  artifact
    .command("list")
    .description("your artifacts, and what of your quota they take")
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      await (await import("../actions/artifacts.ts")).listArtifacts(io, options);
    });

  artifact
    .command("delete <sha256>")
    .description("give an artifact up")
    .action(async (reference: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      await (await import("../actions/artifacts.ts")).deleteArtifact(io, options, reference);
    });
}
