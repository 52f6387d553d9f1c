import { RunningHash } from "../../crypto/hash.ts";
import { type Meter, SegmentCounter } from "../../domain/job/meter.ts";
import type { Progress } from "../../domain/receipt/progress.ts";
import type { Clock } from "../../kernel/clock.ts";
import { MAX_CHUNK_BYTES } from "../../wire/limits.ts";
import type { MinerFrame, OfferTerms } from "../../wire/session.ts";
import type { Output } from "./output.ts";

/** A connection as one job sees it. */
export interface Line {
  send(frame: MinerFrame): void;
  /** Whether frames wait to leave: then gathering text costs no latency. */
  readonly busy: boolean;
}

export interface DeliveryOptions {
  readonly terms: OfferTerms;
  readonly termsHash: string;
  /** Text of earlier segments. */
  readonly prefix: string;
  readonly output: Output;
  readonly maxUnsecuredBytes: number;
  readonly clock: Clock;
  /** The meter that the terms name. */
  readonly meter: Meter;
  readonly sign: (statement: Progress) => string;
  /** Called when the last byte of a finished output has been sent; again after each new connection. */
  readonly onDelivered: () => void;
}

/** Longest time that text is gathered while the line is in use, in ms: less than a reader notices. */
const GATHER_MS = 5;
/** Text that is sent without gathering further, in bytes: a frame of this size has no overhead worth saving. */
const GATHER_BYTES = 8 * 1024;

/**
 * Sends one lease's text and the signed statements about it. At most `maxUnsecuredBytes` of text are on their
 * way without the coordinator's confirmation; what comes beyond waits here, and `room` makes the engine wait.
 */
export class Delivery {
  readonly #options: DeliveryOptions;
  readonly #lease: { readonly job_id: string; readonly token: number };
  /** Covers the job's output up to the furthest byte ever sent. */
  readonly #hash = new RunningHash();
  /** Counts the segment's text as far as the hash goes. */
  readonly #counter: SegmentCounter;
  #line: Line | undefined;
  #sent: number;
  #acknowledged: number;
  /** Where the last progress on this connection stands. */
  #stated: number;
  /** Units of the segment up to there. */
  #statedUnits = 0;
  #statements = 0;
  #lastFlush = Number.NEGATIVE_INFINITY;
  #gatherTimer: NodeJS.Timeout | undefined;
  #statementTimer: NodeJS.Timeout | undefined;
  #room: PromiseWithResolvers<void> | undefined;
  #finished = false;
  #closed = false;

  constructor(options: DeliveryOptions) {
    const { job_id, token, start_byte } = options.terms;
    this.#options = options;
    this.#lease = { job_id, token };
    this.#hash.update(options.prefix);
    this.#counter = new SegmentCounter(options.meter, options.prefix);
    this.#sent = start_byte;
    this.#acknowledged = start_byte;
    this.#stated = start_byte;
  }

  /** Goes on over this line; the coordinator has the output up to `bytes`, a character's boundary. */
  attach(line: Line, bytes: number): void {
    this.#line = line;
    this.#sent = bytes;
    this.#acknowledged = bytes;
    this.#stated = this.#options.terms.start_byte;
    this.#statedUnits = 0;
    this.#flush();
  }

  /** Units of all text that was ever sent. */
  get units(): number {
    return this.#counter.units;
  }

  /** The line is gone; text is kept. */
  detach(): void {
    this.#line = undefined;
    this.#clearTimers();
  }

  /** The engine has added text to the output. */
  written(): void {
    if (this.#mayFlushNow()) this.#flush();
    else this.#gatherTimer ??= setTimeout(() => this.#flush(), GATHER_MS);
  }

  /** The coordinator has stored the output up to `bytes`. */
  acknowledge(bytes: number): void {
    if (bytes <= this.#acknowledged || bytes > this.#sent) return;
    this.#acknowledged = bytes;
    if (this.#sent < this.#options.output.end) this.#flush();
    this.#openRoom();
  }

  /** Resolves when the engine may go on; undefined when it may at once. */
  room(): Promise<void> | undefined {
    if (this.#closed || this.#unsecured(this.#options.output.end) < this.#options.maxUnsecuredBytes) return;
    this.#room ??= Promise.withResolvers<void>();
    return this.#room.promise;
  }

  /** The output is whole: sends the rest and the last statement, then calls `onDelivered`. */
  finish(): void {
    this.#finished = true;
    this.#flush();
  }

  /** Sends what the limit still allows, and a statement about it: for a job that ends without an answer. */
  flushNow(): void {
    this.#flush();
    this.#state();
  }

  /** Ends it: nothing is sent any more, nobody waits. */
  close(): void {
    this.#closed = true;
    this.detach();
    this.#openRoom();
  }

  #unsecured(bytes: number): number {
    return bytes - this.#acknowledged;
  }

  #mayFlushNow(): boolean {
    const idle = this.#options.clock.monotonic() - this.#lastFlush >= GATHER_MS && !this.#line?.busy;
    return idle || this.#options.output.end - this.#sent >= GATHER_BYTES;
  }

  #flush(): void {
    if (!this.#line) return;
    clearTimeout(this.#gatherTimer);
    this.#gatherTimer = undefined;
    this.#lastFlush = this.#options.clock.monotonic();
    while (this.#sent < this.#options.output.end && this.#sendChunk()) {
      if (this.units - this.#statedUnits >= this.#options.terms.progress_units) this.#state();
    }
    // The coordinator may confirm only what a statement covers: without one both sides would wait.
    if (this.#sent < this.#options.output.end) this.#state();
    else if (this.#finished) this.#end();
    else this.#stateLater();
  }

  /** Sends one chunk within the limit; false when the limit leaves no room for the next piece. */
  #sendChunk(): boolean {
    const room = this.#options.maxUnsecuredBytes - this.#unsecured(this.#sent);
    const text = this.#nextText(Math.min(room, MAX_CHUNK_BYTES));
    if (text === "") return false;
    const bytes = Buffer.from(text, "utf8");
    this.#line?.send({ type: "chunk", ...this.#lease, offset: this.#sent, text });
    const known = Math.max(0, this.#hash.bytes - this.#sent);
    if (known < bytes.length) {
      const news = bytes.subarray(known);
      this.#hash.update(news);
      this.#counter.add(known === 0 ? text : news.toString("utf8"));
    }
    this.#sent += bytes.length;
    return true;
  }

  /** Whole pieces of the engine's; a part of one only where no room that could ever come would hold it. */
  #nextText(maxBytes: number): string {
    const { output, maxUnsecuredBytes } = this.#options;
    const pieces = output.pieces(this.#sent, maxBytes);
    const isAllRoom = maxBytes === Math.min(maxUnsecuredBytes, MAX_CHUNK_BYTES);
    return pieces === "" && isAllRoom ? output.text(this.#sent, maxBytes) : pieces;
  }

  /** Signs and sends how far the text has come, unless the coordinator was told already. */
  #state(): void {
    clearTimeout(this.#statementTimer);
    this.#statementTimer = undefined;
    // A new connection repeats text from an earlier place than the hash stands at.
    if (!this.#line || this.#sent <= this.#stated || this.#hash.bytes !== this.#sent) return;
    this.#stated = this.#sent;
    this.#statedUnits = this.units;
    const progress: Progress = {
      v: 1,
      ...this.#lease,
      seq: ++this.#statements,
      bytes: this.#sent,
      running_sha256: this.#hash.hex(),
      units: this.#statedUnits,
      terms_hash: this.#options.termsHash,
    };
    this.#line.send({ type: "progress", progress, signature: this.#options.sign(progress) });
  }

  #stateLater(): void {
    if (this.#sent <= this.#stated) return;
    this.#statementTimer ??= setTimeout(() => this.#state(), this.#options.terms.progress_ms);
  }

  #end(): void {
    this.#state();
    this.#clearTimers();
    this.#options.onDelivered();
  }

  #openRoom(): void {
    if (!this.#closed && this.#unsecured(this.#options.output.end) >= this.#options.maxUnsecuredBytes) return;
    this.#room?.resolve();
    this.#room = undefined;
  }

  #clearTimers(): void {
    clearTimeout(this.#gatherTimer);
    clearTimeout(this.#statementTimer);
    this.#gatherTimer = undefined;
    this.#statementTimer = undefined;
  }
}
