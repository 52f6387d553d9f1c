import { resolve } from "node:path";
import type { Client } from "../../../client/client.ts";
import { AppError } from "../../../kernel/errors.ts";
import { type Io, writeLine } from "../../io.ts";
import { type Conversation, parseSetting, SETTINGS } from "./conversation.ts";
import { writeNew } from "./store.ts";

/** What a command may use. */
export interface ChatTools {
  readonly io: Io;
  readonly client: Client;
  readonly conversation: Conversation;
}

/** What the chat does after a command: waits for the next line, asks again, reads several lines, or ends. */
export type Next = "read" | "retry" | "multiline" | "exit";

interface Command {
  readonly usage: string;
  readonly about: string;
  run(tools: ChatTools, argument: string): Promise<Next> | Next;
}

/** What takes a setting, or the choice of a model, back. */
const DEFAULT = "default";

const COMMANDS: Readonly<Record<string, Command>> = {
  "/model": {
    usage: "/model [NAME]",
    about: `the models there are, or the one to ask from now on; ${DEFAULT}: any`,
    run: chooseModel,
  },
  "/system": {
    usage: "/system [TEXT]",
    about: "what the model is told before everything; without a text: nothing",
    run({ io, conversation }, text) {
      conversation.system = text === "" ? null : text;
      writeLine(io.stderr, text === "" ? "no system message" : "system message set");
      return "read";
    },
  },
  "/set": {
    usage: "/set [NAME VALUE]",
    about: `the settings, or a new value, such as temperature 0.2; ${DEFAULT}: the engine's own`,
    run: changeSetting,
  },
  "/retry": {
    usage: "/retry",
    about: "asks the last question again",
    run({ conversation }) {
      if (conversation.last) return "retry";
      throw new AppError("INVALID_ARGUMENT", "nothing was asked yet");
    },
  },
  "/multiline": {
    usage: '/multiline, or """',
    about: 'a question of several lines; """ ends it',
    run: () => "multiline",
  },
  "/history": {
    usage: "/history",
    about: "what was said",
    run({ io, conversation }) {
      writeLine(io.stderr, formatHistory(conversation) || "nothing was said yet");
      return "read";
    },
  },
  "/save": { usage: "/save FILE", about: "writes what was said into a new file", run: save },
  "/clear": {
    usage: "/clear",
    about: "forgets what was said; model, system message and settings stay",
    run({ io, conversation }) {
      conversation.clear();
      writeLine(io.stderr, "forgotten");
      return "read";
    },
  },
  "/help": {
    usage: "/help",
    about: "this",
    run({ io }) {
      for (const line of helpLines()) writeLine(io.stderr, line);
      return "read";
    },
  },
  "/exit": { usage: "/exit", about: "leaves, as Ctrl-D does; --continue goes on later", run: () => "exit" },
};

/** Whether a line is a command. Two slashes begin a question with one. */
export const isCommand = (line: string): boolean => /^\/(?!\/)/.test(line);

/** Runs a line that is a command. @throws AppError INVALID_ARGUMENT for none that there is, and as the command does */
export async function runCommand(tools: ChatTools, line: string): Promise<Next> {
  const [, name = "", argument = ""] = /^(\S+)\s*(.*)$/s.exec(line) ?? [];
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command) return await command.run(tools, argument.trim());
  throw new AppError("INVALID_ARGUMENT", `there is no ${name}`, {
    meta: { hint: "/help lists what there is; // begins a question with a slash" },
  });
}

/** What a line can go on with: commands, models, settings. */
export async function completeLine(
  { client }: ChatTools,
  line: string,
): Promise<{ word: string; options: string[] }> {
  const [, name, word = ""] = /^(\S+)\s+(\S*)$/.exec(line) ?? [];
  const starts = (options: readonly string[], begin: string) => ({
    word: begin,
    options: options.filter((option) => option.startsWith(begin)),
  });
  if (name === "/model") return starts([...(await client.listModels()).map(({ id }) => id), DEFAULT], word);
  if (name === "/set") return starts(SETTINGS, word);
  return isCommand(line) ? starts(Object.keys(COMMANDS), line) : { word: line, options: [] };
}

function helpLines(): readonly string[] {
  const commands = Object.values(COMMANDS);
  const width = Math.max(...commands.map(({ usage }) => usage.length));
  return [
    ...commands.map(({ usage, about }) => `${usage.padEnd(width)}  ${about}`),
    "Ctrl-C stops the answer; twice at the prompt it leaves.",
  ];
}

async function chooseModel({ io, client, conversation }: ChatTools, name: string): Promise<Next> {
  const models = await client.listModels();
  if (name === "") {
    for (const { id, aitbc } of models) {
      const speed = aitbc.tokens_per_second === null ? "" : ` · ${aitbc.tokens_per_second} tok/s`;
      writeLine(io.stderr, `${id === conversation.model ? "*" : " "} ${id} · ${aitbc.miners} miners${speed}`);
    }
    if (models.length === 0) writeLine(io.stderr, "no miner offers a model now");
    return "read";
  }
  conversation.model = name === DEFAULT ? null : name;
  const isOffered = name === DEFAULT || models.some(({ id }) => id === name);
  writeLine(io.stderr, isOffered ? `model ${name}` : `model ${name}: no miner offers it now, its jobs wait`);
  return "read";
}

function changeSetting({ io, conversation }: ChatTools, argument: string): Next {
  const [, name = "", text = ""] = /^(\S*)\s*(.*)$/s.exec(argument) ?? [];
  if (name !== "" && text === "") {
    throw new AppError("INVALID_ARGUMENT", `${name} needs a value`, {
      meta: { hint: `/set temperature 0.2, or /set temperature ${DEFAULT}` },
    });
  }
  if (name !== "") conversation.set(name, text === DEFAULT ? undefined : parseSetting(name, text));
  for (const [set, value] of conversation.settings) writeLine(io.stderr, `${set} ${JSON.stringify(value)}`);
  if (conversation.settings.size === 0)
    writeLine(io.stderr, `all as the engine has it; ${SETTINGS.join(", ")}`);
  return "read";
}

/** What was said, for people. */
function formatHistory({ turns }: Conversation): string {
  return turns.map(({ question, answer }) => `>>> ${question}\n${answer ?? "(no answer)"}\n`).join("\n");
}

async function save({ io, conversation }: ChatTools, file: string): Promise<Next> {
  if (file === "") throw new AppError("INVALID_ARGUMENT", "/save needs a file: /save talk.txt, or talk.json");
  const path = resolve(io.cwd, file);
  const isJson = path.endsWith(".json");
  const text = isJson
    ? `${JSON.stringify(conversation.toDocument(), null, 2)}\n`
    : formatHistory(conversation);
  await writeNew(path, text).catch((cause: unknown) => {
    const exists = cause instanceof Error && "code" in cause && cause.code === "EEXIST";
    const why = exists ? "exists already; nothing was overwritten" : "cannot be written";
    throw new AppError("INVALID_ARGUMENT", `${path} ${why}`, { cause });
  });
  writeLine(io.stderr, `saved ${path}`);
  return "read";
}
