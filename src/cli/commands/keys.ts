import { type Command, Option } from "commander";
import { KEY_KINDS, type KeyKind } from "../../wire/access.ts";
import type { CliContext } from "../context.ts";
import { formatTable, printResult } from "../format.ts";
import { examples } from "../help.ts";
import { writeLine } from "../io.ts";
import type { GlobalOptions } from "../options.ts";
import { loadCommandConfig, openClient } from "../session.ts";

interface CreateOptions extends GlobalOptions {
  readonly kind: KeyKind;
  readonly name: string;
}

export function addKeysCommands(program: Command, { io }: CliContext): void {
  const keys = program
    .command("keys")
    .description("create, list and revoke API keys, with an admin key")
    .addHelpText(
      "after",
      examples(
        ["aitbc keys create --kind client --name my-app", "a key for an application"],
        ["aitbc keys create --kind miner --name garage", "a key for a miner elsewhere"],
        ["aitbc keys list", "all keys, without their secrets"],
        ["aitbc keys revoke KEY_ID", "works at once"],
        ["aitbc keys identity", "public keys of this machine, to check receipts with"],
      ),
    );

  keys
    .command("create")
    .description("create a key; it is shown only now, alone on stdout")
    .addOption(new Option("--kind <kind>", "what the key may do").choices(KEY_KINDS).makeOptionMandatory())
    .requiredOption("--name <name>", "name for people, to know it again")
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<CreateOptions>();
      const client = await openClient(io, options, "admin");
      const created = await client.createKey({ kind: options.kind, name: options.name });
      const { key_id, kind, name } = created;
      writeLine(io.stderr, `created the ${kind} key "${name}" (id ${key_id}); it is shown only now:`);
      await printResult(io, options.output ?? "table", created, () => created.key);
    });

  keys
    .command("list")
    .description("list all keys, without their secrets")
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const items = await (await openClient(io, options, "admin")).listKeys();
      await printResult(io, options.output ?? "table", items, () => {
        const rows = items.map((key) => [key.key_id, key.kind, key.name, key.created_at, key.revoked_at]);
        return formatTable(["key id", "kind", "name", "created", "revoked"], rows);
      });
    });

  keys
    .command("revoke <key-id>")
    .description("revoke a key; works at once, and cannot be undone")
    .action(async (keyId: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const revoked = await (await openClient(io, options, "admin")).revokeKey(keyId);
      await printResult(io, options.output ?? "table", revoked, () => {
        return `revoked the ${revoked.kind} key "${revoked.name}" (id ${revoked.key_id})`;
      });
    });

  keys
    .command("identity")
    .description("print the public keys of this machine's coordinator and miner, to check receipts with")
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const { config } = await loadCommandConfig(io, options);
      const { readIdentities } = await import("../actions/identities.ts");
      const identities = await readIdentities(config.data_dir);
      await printResult(io, options.output ?? "table", identities, () => {
        return formatTable(
          ["role", "public key", "address"],
          identities.map(({ role, public_key, address }) => [role, public_key, address]),
        );
      });
    });
}
