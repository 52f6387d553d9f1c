import type { Client } from "../../../client/client.ts";
import { dataPaths } from "../../../config/data-paths.ts";
import type { Pins } from "../../../domain/receipt/evidence.ts";
import { AppError, toAppError } from "../../../kernel/errors.ts";
import { MAX_BODY_BYTES } from "../../../wire/limits.ts";
import { type Io, type LineEditor, type LineEditorOptions, writeLine } from "../../io.ts";
import type { GlobalOptions } from "../../options.ts";
import { readInput } from "../../read-input.ts";
import { reportError } from "../../report-error.ts";
import { loadCommandConfig, openConfiguredClient } from "../../session.ts";
import { painter } from "../../style.ts";
import { present, type SamplingOptions, toSampling } from "../answer/payload.ts";
import type { Followed } from "../follow.ts";
import { outcomeError } from "../outcome.ts";
import { Asking } from "./asking.ts";
import { completeLine, isCommand, runCommand } from "./commands.ts";
import { Conversation, type Turn } from "./conversation.ts";
import { ChatStore, newName } from "./store.ts";
import { ownKeys, summarize } from "./summary.ts";

export interface ChatOptions extends GlobalOptions, SamplingOptions {
  readonly system?: string;
  readonly continue?: boolean;
  readonly session?: string;
}

const PROMPT = ">>> ";
const MORE = "... ";
/** Begins and ends a question of several lines. */
const FENCE = '"""';

/** A conversation at a terminal, or one question from a pipe. */
export async function chat(io: Io, options: ChatOptions): Promise<void> {
  const { config } = await loadCommandConfig(io, options);
  const store = new ChatStore(dataPaths(config.data_dir).chats);
  const wanted = options.session ?? (options.continue ? await store.latest() : undefined);
  const kept = wanted === undefined ? undefined : await store.find(wanted);
  const conversation = kept ? Conversation.from(kept) : new Conversation();
  applyOptions(conversation, options);
  const name = wanted ?? newName(Date.now());
  const parts = {
    io,
    options,
    client: await openConfiguredClient(config, "client"),
    conversation,
    pins: await ownKeys(config.data_dir),
    // One question from a pipe leaves nothing behind, unless it goes on with something or asks for that.
    keep:
      io.openEditor || wanted !== undefined ? () => store.save(name, conversation.toDocument()) : undefined,
  };
  const made = new Chat(parts);
  // Until there is a question, Ctrl-C ends the program as it ends any other.
  const question = io.openEditor ? undefined : await readInput(io, MAX_BODY_BYTES);
  const stop = io.onSignal("SIGINT", () => made.interrupt());
  try {
    if (question !== undefined) await made.answerOnce(question);
    else if (io.openEditor) await made.talk(io.openEditor, kept ? name : undefined);
  } finally {
    stop();
  }
}

function applyOptions(conversation: Conversation, options: ChatOptions): void {
  const { model, ...settings } = present(toSampling(options));
  if (typeof model === "string") conversation.model = model;
  if (options.system !== undefined) conversation.system = options.system;
  for (const [name, value] of Object.entries(settings)) conversation.set(name, value);
}

interface ChatParts {
  readonly io: Io;
  readonly options: ChatOptions;
  readonly client: Client;
  readonly conversation: Conversation;
  readonly pins: Pins;
  /** Keeps the conversation; absent: it is not kept. */
  readonly keep: (() => Promise<void>) | undefined;
}

class Chat {
  readonly #parts: ChatParts;
  readonly #dim: (text: string) => void;
  #asking: Asking | undefined;
  #editor: LineEditor | undefined;

  constructor(parts: ChatParts) {
    this.#parts = parts;
    const { stderr, env } = parts.io;
    const paint = painter(stderr, env);
    this.#dim = (text) => writeLine(stderr, text, (line) => paint("dim", line));
  }

  /** Ctrl-C as a signal: it stops the answer, or belongs to the prompt. */
  interrupt(): void {
    if (this.#asking) this.#asking.interrupt();
    else this.#editor?.interrupt();
  }

  /** Answers one question, and fails as its job does. @throws AppError INVALID_ARGUMENT for an empty question */
  async answerOnce(question: string): Promise<void> {
    if (question === "") {
      throw new AppError("INVALID_ARGUMENT", "the question is empty", {
        meta: { hint: "echo Hello | aitbc client chat" },
      });
    }
    const turn = this.#parts.conversation.ask(question);
    const { end, interrupted } = await this.#answer(turn);
    if (interrupted) throw new AppError("INTERRUPTED", `job ${turn.job_id} was canceled, as you asked`);
    const failure = outcomeError(turn.job_id ?? "", end.state, end.error);
    if (failure) throw failure;
  }

  /** Talks until the person leaves. `name` is that of the conversation that goes on. */
  async talk(open: (options: LineEditorOptions) => LineEditor, name: string | undefined): Promise<void> {
    const { conversation, client } = this.#parts;
    using editor = open({
      history: conversation.turns.map(({ question }) => question).reverse(),
      complete: (line) => completeLine(this.#parts, line),
    });
    this.#editor = editor;
    this.#dim(`${client.url} · /help lists commands, Ctrl-D leaves`);
    if (name !== undefined) this.#dim(`going on with ${name}: ${conversation.turns.length} questions so far`);
    await this.#collect();
    for (let interrupted = false; ; ) {
      const typed = await editor.read(PROMPT);
      if (typed === "ended" || (typed === "interrupted" && interrupted)) return;
      interrupted = typed === "interrupted";
      if (typed === "interrupted") this.#dim("Ctrl-C again, Ctrl-D or /exit leaves");
      else if (!(await this.#take(editor, typed.line))) return;
    }
  }

  /** Does what a line says. Returns false at the end of the talk. What fails is told, and the talk goes on. */
  async #take(editor: LineEditor, line: string): Promise<boolean> {
    const { io, options, conversation } = this.#parts;
    try {
      if (line.startsWith(FENCE)) await this.#askLines(editor, line.slice(FENCE.length));
      else if (isCommand(line)) return await this.#command(editor, line);
      else if (line.trim() !== "") await this.#answer(conversation.ask(line.replace(/^\/\//, "/")));
    } catch (error) {
      reportError(io, error, options.debug === true);
    }
    return true;
  }

  async #command(editor: LineEditor, line: string): Promise<boolean> {
    const { conversation, keep } = this.#parts;
    const next = await runCommand(this.#parts, line);
    if (next === "exit") return false;
    const again = next === "retry" ? conversation.retry() : undefined;
    if (again) await this.#answer(again);
    else if (next === "multiline") await this.#askLines(editor, undefined);
    else await keep?.();
    return true;
  }

  /** Reads lines up to the fence; Ctrl-C and Ctrl-D take them back. `first` is what followed the opening one. */
  async #askLines(editor: LineEditor, first: string | undefined): Promise<void> {
    const lines = first === undefined ? [] : [first];
    for (let last = first; !last?.endsWith(FENCE); last = lines.at(-1)) {
      const typed = await editor.read(MORE);
      if (typeof typed === "string") return;
      lines.push(typed.line);
    }
    const question = lines
      .join("\n")
      .slice(0, -FENCE.length)
      .replace(/^\n|\n$/g, "");
    if (question.trim() !== "") await this.#answer(this.#parts.conversation.ask(question));
  }

  /** Lets a question be answered, shows it, and keeps it. */
  async #answer(turn: Turn): Promise<Followed> {
    const { conversation, keep } = this.#parts;
    return this.#show(turn, (asking) =>
      asking.run(conversation.toPayload(), async (jobId) => {
        turn.job_id = jobId;
        // From here on the answer is not lost when this process is: --continue fetches it.
        await this.#keepOrSay(keep);
      }),
    );
  }

  /** Fetches the answer that an earlier talk did not live to see. */
  async #collect(): Promise<void> {
    const { io, options, conversation } = this.#parts;
    const { last } = conversation;
    if (!last || last.answer !== null || last.job_id === null) return;
    const { job_id } = last;
    this.#dim(`${PROMPT}${last.question}`);
    await this.#show(last, (asking) => asking.follow(job_id)).catch((error: unknown) => {
      reportError(io, error, options.debug === true);
    });
  }

  async #show(turn: Turn, work: (asking: Asking) => Promise<Followed>): Promise<Followed> {
    const { io, client, options, pins, keep } = this.#parts;
    const asking = new Asking(io, client);
    this.#asking = asking;
    try {
      const followed = await work(asking);
      const { end, output } = followed;
      turn.answer = output.text === "" ? null : output.text;
      await this.#keepOrSay(keep);
      const { line, verdict } = await summarize(client, turn.job_id ?? "", followed, pins);
      if (verdict === "invalid")
        writeLine(io.stderr, line, (text) => painter(io.stderr, io.env)("red", text));
      else this.#dim(asking.interrupted ? `stopped · ${line}` : line);
      const failure = asking.interrupted ? undefined : outcomeError(turn.job_id ?? "", end.state, end.error);
      // In a pipe the failure is the end of the program, and is told there.
      if (failure && io.openEditor) reportError(io, failure, options.debug === true);
      return { ...followed, interrupted: asking.interrupted };
    } catch (error) {
      if (!asking.interrupted || toAppError(error).code !== "INTERRUPTED") throw error;
      throw new AppError("INTERRUPTED", "left the answer; its job may run on", { cause: error });
    } finally {
      this.#asking = undefined;
    }
  }

  /** A conversation that cannot be kept takes nothing from the answer. */
  async #keepOrSay(keep: (() => Promise<void>) | undefined): Promise<void> {
    await keep?.().catch((error: unknown) => {
      reportError(this.#parts.io, error, this.#parts.options.debug === true);
    });
  }
}
