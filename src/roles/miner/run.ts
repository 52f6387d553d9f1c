import { answerFormat } from "../../domain/job/answer.ts";
import { type Meter, segmentUnits } from "../../domain/job/meter.ts";
import { termsHash } from "../../domain/job/terms.ts";
import type { Clock } from "../../kernel/clock.ts";
import { AppError, toAppError } from "../../kernel/errors.ts";
import type { MinerFrame, Offer } from "../../wire/session.ts";
import { Delivery, type Line } from "./delivery.ts";
import type { Images } from "./engine-request.ts";
import type { Engine, EngineResult } from "./engines/engine.ts";
import { fetchImages } from "./images.ts";
import { Output } from "./output.ts";
import type { CoordinatorLink } from "./ports.ts";
import type { Signer } from "./signer.ts";
import { work } from "./work.ts";
import type { JobDirectory, WorkDirectories } from "./work-directories.ts";

type Complete = Extract<MinerFrame, { type: "complete" }>;
/** An answer, but for its receipt. */
type Answer = Omit<Complete, "receipt">;
type Fail = Extract<MinerFrame, { type: "fail" }>;

/** What happens to a run, for its owner. */
export interface RunEvents {
  /** The engine has written its first text. */
  firstText(run: Run): void;
  /** The engine has finished its answer, in `ms` since its first text. */
  answered(run: Run, result: EngineResult, ms: number): void;
  /** The engine has ended; the run may still wait to be delivered and confirmed. */
  engineEnded(run: Run): void;
  /** The coordinator was told that the job failed: nothing more comes of this run. */
  failed(run: Run, code: string, message: string): void;
}

export interface RunOptions {
  readonly offer: Offer;
  readonly engine: Engine;
  /** The meter that the terms name. */
  readonly meter: Meter;
  readonly signer: Signer;
  readonly clock: Clock;
  /** Where the payload's images come from. */
  readonly link: Pick<CoordinatorLink, "openArtifact">;
  readonly maxUnsecuredBytes: number;
  readonly work: WorkDirectories;
  readonly events: RunEvents;
}

/** Why a run's work stops that nobody waits for any more: without a reason each end would cost an exception. */
const DROPPED = "the run was dropped";
/** Longest message of a failure that a frame carries, in characters. */
const MAX_MESSAGE = 512;
/** How long a receipt is sent again as it is, in ms: its times must be near the coordinator's clock at arrival. */
const RECEIPT_FRESH_MS = 2000;

/**
 * One lease being worked on. It outlives connections: the engine runs on while there is none, and what it
 * wrote is kept until the coordinator has confirmed the end, so that any of it can be sent again.
 */
export class Run {
  readonly lease: { readonly job_id: string; readonly token: number };
  readonly model: string;
  /** Monotonic ms. */
  readonly startedAt: number;
  readonly #options: RunOptions;
  readonly #output: Output;
  readonly #delivery: Delivery;
  readonly #abort = new AbortController();
  readonly #directory: JobDirectory;
  #line: Line | undefined;
  /** Monotonic ms of the engine's first text. */
  #firstTextAt: number | undefined;
  #engineRunning = false;
  #outcome: Answer | Fail | undefined;
  #completion: { readonly frame: Complete; readonly sentAt: number } | undefined;
  #dropped = false;

  /** The offer has been checked. */
  constructor(options: RunOptions) {
    const { offer, meter, signer, clock, maxUnsecuredBytes } = options;
    const { terms, prefix } = offer;
    this.#options = options;
    this.lease = { job_id: terms.job_id, token: terms.token };
    this.model = terms.model;
    this.startedAt = clock.monotonic();
    this.#directory = options.work.forJob(this.lease, (error) => this.fail(error));
    this.#output = new Output(terms.start_byte, terms.max_output_bytes);
    this.#delivery = new Delivery({
      terms,
      termsHash: termsHash(terms),
      prefix,
      output: this.#output,
      maxUnsecuredBytes,
      clock,
      meter,
      sign: (statement) => signer.signProgress(statement),
      onDelivered: () => this.#sendOutcome(),
    });
  }

  /** Whether the engine works on it. */
  get engineRunning(): boolean {
    return this.#engineRunning;
  }

  /** Bytes of this lease's text so far. */
  get outputBytes(): number {
    return this.#output.end - this.#options.offer.terms.start_byte;
  }

  /** Works on the job until the engine ends. Never rejects: how it ended is told to the coordinator. */
  async execute(): Promise<void> {
    const { engine, offer, meter, events, clock } = this.#options;
    this.#engineRunning = true;
    try {
      const images = await this.#fetchImages();
      const waitedMs = clock.monotonic() - this.startedAt;
      const result = await work(engine, offer, {
        meter,
        images,
        signal: this.#abort.signal,
        onText: (text) => this.#take(text),
        deadlineMs: Math.max(1, offer.deadline_ms - waitedMs),
        workDirectory: this.#directory,
      });
      await this.#directory.checkQuota();
      const { finish_reason, prompt_tokens, completion_tokens } = result;
      const ms = clock.monotonic() - (this.#firstTextAt ?? clock.monotonic());
      events.answered(this, result, ms);
      this.#complete(finish_reason, { prompt_tokens, completion_tokens });
    } catch (error) {
      if (!this.#output.full) this.fail(toAppError(error));
      else if (answerFormat(offer.payload) === "text") this.#complete("length", this.#estimatedUsage());
      else this.fail(tooLong(offer.terms.max_output_bytes));
    } finally {
      this.#engineRunning = false;
      this.#directory[Symbol.dispose]();
      events.engineEnded(this);
    }
  }

  /** Goes on over this line. The coordinator has stored the job's output up to `bytes`. */
  attach(line: Line, bytes: number): void {
    this.#line = line;
    if (!this.#output.isBoundary(bytes)) {
      this.fail(new AppError("PROTOCOL_VIOLATION", `there is no text to go on with at byte ${bytes}`));
      return;
    }
    this.#delivery.attach(line, bytes);
    if (this.#outcome?.type !== "fail") return;
    this.#delivery.flushNow();
    this.#sendOutcome();
  }

  /**
   * The coordinator does not hold the lease any more, perhaps because it has stored the completion that was sent:
   * asks it by sending the same again. False where there is nothing to ask about.
   */
  repeatCompletion(line: Line): boolean {
    if (!this.#completion) return false;
    this.#line = line;
    line.send(this.#completion.frame);
    return true;
  }

  /** The connection is gone. */
  detach(): void {
    this.#line = undefined;
    this.#delivery.detach();
  }

  /** The coordinator has stored the job's output up to `bytes`. */
  acknowledge(bytes: number): void {
    this.#delivery.acknowledge(bytes);
  }

  /**
   * Ends the run without an answer, unless it has ended: what was written is delivered as far as allowed. Another
   * try cannot help past the deadline, which counts all attempts.
   */
  fail(error: AppError): void {
    const retryable = error.definition.retry === "later" && error.code !== "TIMEOUT";
    this.#giveUp(error.code, error.message, retryable);
  }

  /** Ends the run because the miner stops: another one takes the job at once. */
  failStopping(): void {
    this.#giveUp("MINER_STOPPING", "the miner stops", true);
  }

  /** Forgets the run: the engine stops, nothing is sent any more. */
  drop(): void {
    this.#dropped = true;
    this.#line = undefined;
    this.#delivery.close();
    this.#abort.abort(DROPPED);
  }

  /** Gets the images of the payload, within the job's deadline. */
  async #fetchImages(): Promise<Images> {
    const { link, offer } = this.#options;
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), offer.deadline_ms);
    try {
      return await fetchImages(link, offer.payload, AbortSignal.any([this.#abort.signal, late.signal]));
    } catch (error) {
      if (!late.signal.aborted) throw error;
      throw new AppError("TIMEOUT", "the job's images did not come before its deadline", { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }

  #take(text: string): Promise<void> | undefined {
    if (this.#dropped || this.#outcome) return undefined;
    if (this.#firstTextAt === undefined) {
      this.#firstTextAt = this.#options.clock.monotonic();
      this.#options.events.firstText(this);
    }
    this.#output.append(text);
    if (this.#output.full) {
      this.#abort.abort();
      return undefined;
    }
    this.#delivery.written();
    return this.#delivery.room();
  }

  #complete(finishReason: Answer["finish_reason"], usage: Answer["usage"]): void {
    if (this.#dropped || this.#outcome) return;
    this.#output.finish();
    const finish_reason = this.#output.full ? "length" : finishReason;
    this.#outcome = { type: "complete", ...this.lease, finish_reason, usage };
    this.#delivery.finish();
  }

  #giveUp(code: string, message: string, retryable: boolean): void {
    if (this.#dropped || this.#outcome) return;
    this.#outcome = {
      type: "fail",
      ...this.lease,
      code,
      message: message.slice(0, MAX_MESSAGE),
      retryable,
    };
    this.#abort.abort();
    this.#delivery.flushNow();
    this.#delivery.close();
    this.#sendOutcome();
  }

  #sendOutcome(): void {
    if (!this.#outcome || !this.#line) return;
    if (this.#outcome.type === "complete") {
      this.#line.send(this.#completionFrame(this.#outcome));
      return;
    }
    this.#line.send(this.#outcome);
    this.#options.events.failed(this, this.#outcome.code, this.#outcome.message);
  }

  #completionFrame(answer: Answer): Complete {
    const { offer, signer, clock } = this.#options;
    const now = clock.monotonic();
    if (this.#completion && now - this.#completion.sentAt < RECEIPT_FRESH_MS) return this.#completion.frame;
    const receipt = signer.signReceipt(offer.terms, {
      prefix: offer.prefix,
      text: this.#output.text(offer.terms.start_byte, this.outputBytes),
      endByte: this.#output.end,
      units: this.#delivery.units,
      elapsedMs: now - this.startedAt,
    });
    const frame = { ...answer, receipt };
    this.#completion = { frame, sentAt: now };
    return frame;
  }

  /** What the engine would say, had it not been stopped at the limit: the miner's usage is only compared. */
  #estimatedUsage(): Answer["usage"] {
    const { offer, meter } = this.#options;
    const text = this.#output.text(offer.terms.start_byte, this.outputBytes);
    const completion_tokens = segmentUnits(meter, offer.prefix, text);
    return { prompt_tokens: offer.terms.prompt_units, completion_tokens };
  }
}

/** Lines cannot be cut anywhere as text can. */
function tooLong(maxBytes: number): AppError {
  return new AppError(
    "PAYLOAD_TOO_LARGE",
    `the answer is longer than ${maxBytes} bytes; ask for less: fewer choices, inputs or probabilities`,
  );
}
