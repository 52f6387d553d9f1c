/**
 * Answers that are more than one text: several choices, calls of tools, probabilities, vectors. Their output is a
 * text too, so that it streams, is stored, hashed and paid like any other: one JSON object a line, each of which
 * adds something to one choice.
 */
import { AppError } from "../../kernel/errors.ts";
import type { Meter, UnitCounter } from "./meter.ts";

/** A token with its natural logarithm of probability. `bytes` are its UTF-8, where it is no whole character. */
export interface TokenLogprob {
  readonly token: string;
  readonly logprob: number;
  readonly bytes?: readonly number[];
}

/** A token of the answer, and the likeliest that could have stood there. */
export interface ChosenLogprob extends TokenLogprob {
  readonly top?: readonly TokenLogprob[];
}

/** Part of a call: the first part of an index names the tool, later ones add to its arguments. */
export interface ToolCallDelta {
  readonly index: number;
  readonly id?: string;
  readonly name?: string;
  /** JSON text, or a part of it. */
  readonly arguments?: string;
}

export const DELTA_FINISH_REASONS = ["stop", "length", "tool_calls"] as const;
export type DeltaFinishReason = (typeof DELTA_FINISH_REASONS)[number];

/** What one line adds to an answer. */
export interface AnswerDelta {
  /** The choice, or the input of an embedding, from 0; absent: 0. */
  readonly choice?: number;
  readonly text?: string;
  /** What the model thought before its answer. */
  readonly reasoning?: string;
  readonly tool_call?: ToolCallDelta;
  /** Of the tokens of `text`, in their order. */
  readonly logprobs?: readonly ChosenLogprob[];
  /** The choice has ended. */
  readonly finish_reason?: DeltaFinishReason;
  /** A vector: 32-bit floats, little-endian, as base64. */
  readonly embedding?: string;
}

/** Choices of one answer, and inputs of one embedding: more are asked for with more jobs. */
export const MAX_CHOICES = 64;
export const MAX_EMBEDDING_INPUTS = 256;
/** Calls of tools in one choice. */
export const MAX_TOOL_CALLS = 128;

const MEMBERS: ReadonlySet<string> = new Set([
  "choice",
  "text",
  "reasoning",
  "tool_call",
  "logprobs",
  "finish_reason",
  "embedding",
] satisfies (keyof AnswerDelta)[]);

/** Writes a delta as its line. */
export function formatDelta(delta: AnswerDelta): string {
  return `${JSON.stringify(delta)}\n`;
}

/** Parses a line. @throws AppError PROTOCOL_VIOLATION, naming what is wrong */
export function parseDelta(line: string): AnswerDelta {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw wrong("a line is no JSON");
  }
  if (!isRecord(value)) throw wrong("a line is no object");
  for (const name of Object.keys(value)) if (!MEMBERS.has(name)) throw wrong("a line has an unknown member");
  const { choice, text, reasoning, embedding, finish_reason, tool_call, logprobs } = value;
  ensure("choice", choice === undefined || isIndex(choice, MAX_EMBEDDING_INPUTS));
  ensure("text", isTextOrAbsent(text));
  ensure("reasoning", isTextOrAbsent(reasoning));
  ensure("embedding", isTextOrAbsent(embedding));
  ensure("finish_reason", finish_reason === undefined || isFinishReason(finish_reason));
  ensure("tool_call", tool_call === undefined || isToolCall(tool_call));
  ensure("logprobs", logprobs === undefined || (Array.isArray(logprobs) && logprobs.every(isChosen)));
  return value as AnswerDelta;
}

/** Longest line, in characters: a long vector and far more than a token; whoever reads lines holds one. */
const MAX_LINE_CHARACTERS = 128 * 1024;

/** Cuts a text that comes in parts into whole lines. */
export class LineSplitter {
  /** Parts of a line that has not ended: joined once, however small they come. */
  #held: string[] = [];
  #heldCharacters = 0;

  /** The lines that this part completes, without their ends. @throws AppError PROTOCOL_VIOLATION for one that is too long */
  push(text: string): string[] {
    const lines = text.split("\n");
    const rest = lines.pop() ?? "";
    if (lines.length > 0) {
      lines[0] = this.#held.join("") + lines[0];
      this.#held = [];
      this.#heldCharacters = 0;
    }
    if (rest !== "") this.#held.push(rest);
    this.#heldCharacters += rest.length;
    if (
      this.#heldCharacters > MAX_LINE_CHARACTERS ||
      lines.some(({ length }) => length > MAX_LINE_CHARACTERS)
    ) {
      throw wrong(`a line is longer than ${MAX_LINE_CHARACTERS} characters`);
    }
    return lines;
  }

  /** Whether nothing waits for the end of its line. */
  get empty(): boolean {
    return this.#held.length === 0;
  }
}

/**
 * Meters deltas by what they say: text, thoughts, and calls are counted by `inner`, each choice for itself;
 * braces, probabilities and vectors cost nothing. Its name is `deltas/` and the inner one's.
 */
export function createDeltaMeter(inner: Meter): Meter {
  return { name: DELTA_METER_PREFIX + inner.name, request: inner, counter: () => new DeltaCounter(inner) };
}

export const DELTA_METER_PREFIX = "deltas/";

class DeltaCounter implements UnitCounter {
  readonly #inner: Meter;
  readonly #lines = new LineSplitter();
  readonly #choices = new Map<number, UnitCounter>();

  constructor(inner: Meter) {
    this.#inner = inner;
  }

  /** @throws AppError PROTOCOL_VIOLATION for a line that is no delta; nothing of its part is counted then */
  add(text: string): void {
    for (const delta of this.#lines.push(text).map(parseDelta)) {
      const words = meteredText(delta);
      if (words !== "") this.#counterOf(delta.choice ?? 0).add(words);
    }
  }

  get units(): number {
    let units = 0;
    for (const counter of this.#choices.values()) units += counter.units;
    return units;
  }

  get whole(): boolean {
    return this.#lines.empty;
  }

  #counterOf(choice: number): UnitCounter {
    const known = this.#choices.get(choice);
    if (known) return known;
    const counter = this.#inner.counter();
    this.#choices.set(choice, counter);
    return counter;
  }
}

function meteredText({ text = "", reasoning = "", tool_call }: AnswerDelta): string {
  return reasoning + text + (tool_call?.name ?? "") + (tool_call?.arguments ?? "");
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isIndex = (value: unknown, below: number): boolean =>
  Number.isSafeInteger(value) && Number(value) >= 0 && Number(value) < below;
const isTextOrAbsent = (value: unknown): boolean => value === undefined || typeof value === "string";
const isFinishReason = (value: unknown): boolean => DELTA_FINISH_REASONS.some((reason) => reason === value);

function isToolCall(value: unknown): boolean {
  return (
    isRecord(value) &&
    isIndex(value["index"], MAX_TOOL_CALLS) &&
    [value["id"], value["name"], value["arguments"]].every(isTextOrAbsent)
  );
}

function isToken(value: unknown): value is Readonly<Record<string, unknown>> {
  return isRecord(value) && typeof value["token"] === "string" && typeof value["logprob"] === "number";
}

function isChosen(value: unknown): boolean {
  if (!isToken(value)) return false;
  const { top } = value;
  return top === undefined || (Array.isArray(top) && top.every(isToken));
}

function ensure(member: keyof AnswerDelta, holds: boolean): void {
  if (!holds) throw wrong(`${member} of a line is not what it must be`);
}

function wrong(what: string): AppError {
  return new AppError("PROTOCOL_VIOLATION", `the answer is not made of deltas: ${what}`);
}
