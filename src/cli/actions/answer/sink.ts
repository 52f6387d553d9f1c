import { AnswerBuilder, type Choice } from "../../../domain/job/answer.ts";
import type { AnswerDelta, ChosenLogprob } from "../../../domain/job/deltas.ts";
import type { ChoiceView } from "../../../wire/jobs.ts";
import { formatTable, printText } from "../../format.ts";
import { type Io, toSafeText, writeText } from "../../io.ts";
import { painter } from "../../style.ts";

/** Where an answer goes as it comes. */
export interface AnswerSink {
  /** Takes what was added. Waits while its reader is slow. */
  write(delta: AnswerDelta): Promise<void>;
  /** Nothing more comes. */
  end(): Promise<void>;
  /** Whether the cursor stands behind text of the answer, where other text would run into it. */
  readonly midLine: boolean;
}

/**
 * Writes an answer for people: of several choices each under its number, one after the other, however they came;
 * calls of tools as JSON, one a line; probabilities as a table. One choice of text alone is written byte for byte.
 */
export class TextSink implements AnswerSink {
  readonly #io: Pick<Io, "stdout" | "stderr" | "env">;
  readonly #choices: number;
  readonly #builder = new AnswerBuilder();
  readonly #ended = new Set<number>();
  /** The choice that is being written; those behind it wait in the builder. */
  #current = 0;
  #headed = false;
  #thinks = false;
  #last = "";

  /** @param choices how many were asked for */
  constructor(io: Pick<Io, "stdout" | "stderr" | "env">, choices = 1) {
    this.#io = io;
    this.#choices = choices;
  }

  get midLine(): boolean {
    return this.#last !== "" && this.#last !== "\n";
  }

  async write(delta: AnswerDelta): Promise<void> {
    const { choice = 0, text = "", reasoning = "", embedding, finish_reason } = delta;
    // A vector is nothing to read.
    if (embedding !== undefined) return;
    this.#builder.add(delta);
    if (finish_reason !== undefined) this.#ended.add(choice);
    if (choice !== this.#current) return;
    await this.#show(text, reasoning);
    if (finish_reason !== undefined) await this.#next();
  }

  async end(): Promise<void> {
    while (this.#current < this.#builder.answer.choices.length) await this.#next();
  }

  async #show(text: string, reasoning: string): Promise<void> {
    if (!this.#headed && this.#choices > 1) {
      await this.#breakLine();
      await this.#put(`[${this.#current + 1}/${this.#choices}]\n`);
    }
    this.#headed = true;
    this.#think(reasoning);
    if (text === "") return;
    this.#endThoughts();
    await this.#put(text);
  }

  /** Thoughts are for a person who watches: no part of the answer. */
  #think(text: string): void {
    const { stderr, stdout, env } = this.#io;
    if (text === "" || !stderr.isTTY || !stdout.isTTY) return;
    this.#thinks = true;
    stderr.write(painter(stderr, env)("dim", toSafeText(text)));
  }

  #endThoughts(): void {
    if (this.#thinks) this.#io.stderr.write("\n\n");
    this.#thinks = false;
  }

  /** Closes the choice that is written, and writes those behind it as far as they have come. */
  async #next(): Promise<void> {
    for (let ended = true; ended; ended = this.#ended.has(this.#current)) {
      await this.#close();
      this.#current++;
      this.#headed = false;
      const next = this.#builder.answer.choices[this.#current];
      if (!next) return;
      await this.#show(next.text, next.reasoning);
    }
  }

  async #close(): Promise<void> {
    const { tool_calls = [], logprobs = [] } = this.#builder.answer.choices[this.#current] ?? {};
    this.#endThoughts();
    if (tool_calls.length > 0) {
      await this.#breakLine();
      for (const call of tool_calls) await this.#put(`${formatCall(call)}\n`);
    }
    if (logprobs.length > 0) {
      await this.#breakLine();
      await this.#put(`${formatLogprobs(logprobs)}\n`);
    }
    if (this.#choices > 1 || this.#io.stdout.isTTY) await this.#breakLine();
  }

  async #breakLine(): Promise<void> {
    if (this.midLine) await this.#put("\n");
  }

  async #put(text: string): Promise<void> {
    this.#last = text.at(-1) ?? this.#last;
    await writeText(this.#io.stdout, text);
  }
}

/** Writes choices that are whole. */
export async function writeChoices(
  sink: AnswerSink,
  choices: readonly (Choice | ChoiceView)[],
): Promise<void> {
  for (const [choice, { text, reasoning, tool_calls, logprobs }] of choices.entries()) {
    await sink.write({ choice, text, reasoning, logprobs: logprobs.map(withoutBytes) });
    for (const [index, call] of tool_calls.entries()) {
      await sink.write({ choice, tool_call: { index, ...call } });
    }
  }
  await sink.end();
}

/** People read tokens, not their bytes. */
function withoutBytes({
  token,
  logprob,
  top = [],
}: Choice["logprobs"][number] | ChoiceView["logprobs"][number]) {
  return { token, logprob, top: top.map((other) => ({ token: other.token, logprob: other.logprob })) };
}

/** Writes what comes as lines of JSON or documents of YAML, for programs that read along. */
export class RecordSink implements AnswerSink {
  readonly #io: Pick<Io, "stdout">;
  readonly #format: "json" | "yaml";
  readonly midLine = false;

  constructor(io: Pick<Io, "stdout">, format: "json" | "yaml") {
    this.#io = io;
    this.#format = format;
  }

  async write(delta: AnswerDelta): Promise<void> {
    const text =
      this.#format === "json"
        ? `${JSON.stringify(delta)}\n`
        : `${(await import("yaml")).stringify(delta)}---\n`;
    await printText(this.#io, text);
  }

  async end(): Promise<void> {}
}

/** A call of a tool as one line of JSON; its arguments as JSON where the model wrote such. */
function formatCall(call: Choice["tool_calls"][number]): string {
  try {
    return JSON.stringify({ ...call, arguments: JSON.parse(call.arguments) as unknown });
  } catch {
    return JSON.stringify(call);
  }
}

const PERCENT = 100;
const toPercent = (logprob: number): string => `${(Math.exp(logprob) * PERCENT).toFixed(1)} %`;

/** Tokens with their probabilities, and what could have stood there. */
function formatLogprobs(tokens: readonly ChosenLogprob[]): string {
  const rows = tokens.map(({ token, logprob, top = [] }) => [
    JSON.stringify(token),
    toPercent(logprob),
    top.map((other) => `${JSON.stringify(other.token)} ${toPercent(other.logprob)}`).join("  "),
  ]);
  return formatTable(["token", "probability", "likeliest"], rows);
}
