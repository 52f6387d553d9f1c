import { z } from "zod";
import { AppError } from "../../../kernel/errors.ts";
import type { JobPayload } from "../../../wire/jobs.ts";
import { checkPayload } from "../answer/payload.ts";

const Turn = z.strictObject({
  question: z.string(),
  /** null: there is none yet, or there never was. */
  answer: z.string().nullable(),
  /** The job that answers; null: none was made. */
  job_id: z.string().nullable(),
});
export type Turn = z.infer<typeof Turn>;

/** A conversation as it is kept. */
export const ChatDocument = z.strictObject({
  v: z.literal(1),
  model: z.string().nullable(),
  system: z.string().nullable(),
  /** Members of the jobs' payloads. */
  settings: z.record(z.string(), z.unknown()),
  turns: z.array(Turn),
});
export type ChatDocument = z.infer<typeof ChatDocument>;

/** Members of a payload that `/set` sets. */
export const SETTINGS = [
  "context_tokens",
  "format",
  "frequency_penalty",
  "keep_alive_seconds",
  "max_tokens",
  "min_p",
  "presence_penalty",
  "repeat_penalty",
  "seed",
  "stop",
  "temperature",
  "think",
  "top_k",
  "top_p",
] as const;

/** What was said, and how the next answer is asked for. */
export class Conversation {
  model: string | null = null;
  system: string | null = null;
  readonly #settings = new Map<string, unknown>();
  #turns: Turn[] = [];

  static from(document: ChatDocument): Conversation {
    const made = new Conversation();
    made.model = document.model;
    made.system = document.system;
    for (const [name, value] of Object.entries(document.settings)) made.#settings.set(name, value);
    made.#turns = document.turns.map((turn) => ({ ...turn }));
    return made;
  }

  toDocument(): ChatDocument {
    const { model, system } = this;
    return { v: 1, model, system, settings: Object.fromEntries(this.#settings), turns: [...this.#turns] };
  }

  get turns(): readonly Turn[] {
    return this.#turns;
  }

  get last(): Turn | undefined {
    return this.#turns.at(-1);
  }

  get settings(): ReadonlyMap<string, unknown> {
    return this.#settings;
  }

  /** Sets a member of the payload; undefined leaves it to the engine. @throws AppError INVALID_PAYLOAD, INVALID_ARGUMENT */
  set(name: string, value: unknown): void {
    if (!SETTINGS.some((known) => known === name)) {
      throw new AppError("INVALID_ARGUMENT", `there is no setting ${name}`, {
        meta: { hint: `these are: ${SETTINGS.join(", ")}` },
      });
    }
    checkPayload({ type: "inference", prompt: "?", [name]: value });
    if (value === undefined) this.#settings.delete(name);
    else this.#settings.set(name, value);
  }

  /** Adds a question. A question without an answer before it is dropped: models expect answers between questions. */
  ask(question: string): Turn {
    if (this.last?.answer === null) this.#turns.pop();
    const turn: Turn = { question, answer: null, job_id: null };
    this.#turns.push(turn);
    return turn;
  }

  /** Takes the last answer back; its question is to be answered again. Undefined where nothing was asked. */
  retry(): Turn | undefined {
    const last = this.#turns.pop();
    return last && this.ask(last.question);
  }

  clear(): void {
    this.#turns = [];
  }

  /** The job that answers the last question. @throws AppError INVALID_PAYLOAD for what no job can be */
  toPayload(): JobPayload {
    const system = this.system === null ? [] : [{ role: "system", content: this.system }];
    const said = this.#turns.flatMap(({ question, answer }) => [
      { role: "user", content: question },
      ...(answer === null ? [] : [{ role: "assistant", content: answer }]),
    ]);
    return checkPayload({
      type: "inference",
      ...(this.model !== null && { model: this.model }),
      ...Object.fromEntries(this.#settings),
      messages: [...system, ...said],
    });
  }
}

/** Reads the value of a setting as people type it: a number, JSON, or a word. */
export function parseSetting(name: string, text: string): unknown {
  if (name === "format" && text === "json") return { type: "json" };
  const value = parseValue(text);
  return name === "stop" && !Array.isArray(value) ? [String(value)] : value;
}

function parseValue(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
