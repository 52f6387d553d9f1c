import type {
  LlamaContextSequence,
  LlamaGrammarEvaluationState,
  LlamaModel,
  SequenceEvaluateOutput,
  Token,
} from "node-llama-cpp";
import type { ChosenLogprob } from "../../../../domain/job/deltas.ts";
import { AppError } from "../../../../kernel/errors.ts";
import type { EnginePiece, EngineRequest, EngineResult } from "../engine.ts";
import { AnswerPieces } from "./answer-pieces.ts";
import { AnswerTokens } from "./answer-tokens.ts";
import type { Prompt } from "./prompt.ts";
import type { PromptReader } from "./prompt-reader.ts";
import { isPlainGreedy, samplingOf } from "./sampling.ts";
import { TokenLogprobs } from "./token-logprobs.ts";
import { CallReader, forcedTools } from "./tool-calls.ts";

export interface GenerateOptions {
  readonly signal: AbortSignal;
  /** Takes a piece of the answer; generation goes on when the promise resolves. */
  readonly emit: (piece: EnginePiece) => Promise<void> | void;
}

export interface GenerationInputs {
  readonly model: LlamaModel;
  readonly sequence: LlamaContextSequence;
  readonly reader: PromptReader;
  readonly prompt: Prompt;
  readonly grammar: LlamaGrammarEvaluationState | undefined;
  readonly request: EngineRequest;
}

/** Tokens given to the detokenizer as what came before: it looks at the last ones only. */
const CONTEXT_TOKENS = 8;

/** One answer being written. */
export class Generation {
  readonly #inputs: GenerationInputs;
  readonly #options: GenerateOptions;
  /** The answer's tokens, the prefix's first: what the sequence has read behind the prompt, and perhaps one more. */
  readonly #answer: Token[];
  readonly #prefixLength: number;
  readonly #pieces: AnswerPieces<Token>;
  readonly #logprobs: TokenLogprobs;
  readonly #call: CallReader | undefined;
  /** Set where another may have to go on with this answer: its text alone then decides about its tokens. */
  #resumable: AnswerTokens<Token> | undefined;

  constructor(inputs: GenerationInputs, options: GenerateOptions) {
    const { model, prompt, request } = inputs;
    this.#inputs = inputs;
    this.#options = options;
    const resumable = new AnswerTokens<Token>((text) => model.tokenize(text, false, "trimLeadingSpace"));
    this.#answer = [...resumable.push(request.prefix).tokens];
    this.#prefixLength = this.#answer.length;
    this.#resumable = isResumable(request) ? resumable : undefined;
    this.#call = forcedTools(request) && new CallReader();
    const stops = this.#call ? [] : [...(request.stop ?? []), ...prompt.stops];
    this.#pieces = new AnswerPieces(
      (tokens, before) => model.detokenize(tokens, false, before),
      this.#tokens.slice(-CONTEXT_TOKENS),
      stops,
    );
    this.#logprobs = new TokenLogprobs(model);
  }

  /**
   * Writes the answer. Returns undefined when the signal stopped it.
   * @throws AppError INVALID_PAYLOAD when the input leaves no room for an answer
   */
  async run(): Promise<EngineResult | undefined> {
    const { sequence, reader, request, prompt } = this.#inputs;
    const tokens = this.#tokens;
    const room = sequence.contextSize - tokens.length;
    if (room < 1) throw tooLong(tokens.length, sequence.contextSize);
    const read = await reader.read(sequence, tokens, this.#options.signal);
    if (!read) return undefined;
    const ended = await this.#write(read.rest, Math.min(request.max_tokens, room));
    if (!ended) return undefined;
    return {
      finish_reason: ended,
      prompt_tokens: prompt.tokens.length + this.#prefixLength,
      completion_tokens: this.#written,
      cached_tokens: read.cached,
    };
  }

  /** Everything that the model reads before it writes its next token. */
  get #tokens(): Token[] {
    return [...this.#inputs.prompt.tokens, ...this.#answer];
  }

  get #written(): number {
    return Math.max(0, this.#answer.length - this.#prefixLength);
  }

  async #write(rest: Token[], limit: number): Promise<EngineResult["finish_reason"] | undefined> {
    const { sequence, request, prompt, grammar } = this.#inputs;
    const { signal } = this.#options;
    const steps = sequence.evaluateWithMetadata(
      rest,
      { probabilities: request.logprobs !== undefined && isPlainGreedy(request) },
      samplingOf(request, grammar, () => [...this.#answer], sequence.contextSize),
    );
    try {
      let next: Token[] | undefined;
      for (;;) {
        const step = await (next ? steps.next(next) : steps.next());
        if (signal.aborted) return undefined;
        if (step.done || prompt.stopTokens.has(step.value.token)) return await this.#end("stop");
        const { token } = step.value;
        const { probabilities } = step.value as Partial<SequenceEvaluateOutput>;
        const logprob = await this.#describe(token, probabilities);
        this.#answer.push(token);
        const { text, pieces, stopped } = this.#pieces.push(token, logprob);
        await this.#emit(pieces);
        if (stopped) return "stop";
        next = await this.#settle(token, text);
        if (this.#written >= limit) return await this.#end("length");
      }
    } finally {
      await steps.return();
    }
  }

  /** Tells what was held back. */
  async #end(reason: "stop" | "length"): Promise<EngineResult["finish_reason"] | undefined> {
    const { pieces, stopped } = this.#pieces.flush();
    await this.#emit(pieces);
    if (this.#options.signal.aborted) return undefined;
    if (!this.#call) return stopped ? "stop" : reason;
    const { deltas, whole } = this.#call.end();
    await this.#tell(deltas);
    return whole ? "tool_calls" : reason;
  }

  async #emit(pieces: readonly EnginePiece[]): Promise<void> {
    const call = this.#call;
    if (!call) return this.#tell(pieces);
    for (const piece of pieces) {
      await this.#tell(call.push(typeof piece === "string" ? piece : (piece.text ?? "")));
    }
  }

  async #tell(pieces: readonly EnginePiece[]): Promise<void> {
    for (const piece of pieces) {
      if (this.#options.signal.aborted) return;
      await this.#options.emit(piece);
    }
  }

  /**
   * Puts the tokens that the text asks for in the place of those that the model wrote, where they differ. Gives the
   * tokens that the sequence has to read next; undefined for the one that was just written.
   */
  async #settle(token: Token, text: string): Promise<Token[] | undefined> {
    const { model, sequence, prompt } = this.#inputs;
    if (!this.#resumable) return undefined;
    if (text === "") {
      // A control token has no text to be found again by: it stays, and what follows it is looked at anew.
      if (model.isSpecialToken(token)) this.#resumable = this.#resumable.after(this.#answer);
      return undefined;
    }
    const { from, tokens } = this.#resumable.push(text);
    const same = tokens.findIndex((other, index) => other !== this.#answer[from + index]);
    if (same === -1 && from + tokens.length === this.#answer.length) return undefined;
    const firstOther = from + (same === -1 ? tokens.length : same);
    this.#answer.splice(from, Infinity, ...tokens);
    const keep = prompt.tokens.length + Math.min(firstOther, this.#answer.length - 1);
    await sequence.eraseContextTokenRanges([{ start: keep, end: sequence.nextTokenIndex }]);
    return this.#answer.slice(keep - prompt.tokens.length);
  }

  /** A token with its probability, where that is asked for: the model's own, before anything else bears on it. */
  async #describe(
    token: Token,
    known: ReadonlyMap<Token, number> | undefined,
  ): Promise<ChosenLogprob | undefined> {
    const { request } = this.#inputs;
    if (request.logprobs === undefined || this.#call) return undefined;
    const probabilities = known ?? (await this.#ownProbabilities());
    return this.#logprobs.describe(
      token,
      probabilities,
      request.logprobs,
      this.#tokens.slice(-CONTEXT_TOKENS),
    );
  }

  /** Reads the last token again, this time without penalties, grammar and temperature. */
  async #ownProbabilities(): Promise<ReadonlyMap<Token, number>> {
    const { sequence } = this.#inputs;
    const last = this.#tokens.at(-1);
    const end = sequence.nextTokenIndex;
    if (last === undefined) return new Map();
    await sequence.eraseContextTokenRanges([{ start: end - 1, end }]);
    const generateNext = { probabilities: true, options: { temperature: 0 } };
    const [output] = await sequence.controlledEvaluate([[last, { generateNext }]]);
    return output?.next.probabilities ?? new Map();
  }
}

/** Whether another miner could have to go on with the answer, and would write the same. */
function isResumable(request: EngineRequest): boolean {
  const { temperature, format, logprobs } = request;
  return temperature === 0 && format === undefined && logprobs === undefined && !forcedTools(request);
}

function tooLong(tokens: number, contextTokens: number): AppError {
  return new AppError(
    "INVALID_PAYLOAD",
    `the input has ${tokens} tokens, and the model's context holds ${contextTokens} with the answer`,
    { meta: { tokens, context_tokens: contextTokens } },
  );
}
