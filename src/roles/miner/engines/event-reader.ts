import type { Readable } from "node:stream";
import { SseParser } from "../../../kernel/http/sse.ts";

/** Takes the data of an event. A promise makes the server wait until it resolves; `enough` ends the reading. */
type TakeData = (data: string) => Promise<void> | "enough" | undefined;

/**
 * Reads the server-sent events of an answer, each as soon as it is there and without a promise of its own: they
 * come by the thousand in a second.
 * @throws what `take` throws or rejects with, AppError as the parser's, and why the answer broke off
 */
export function readEvents(answer: Readable, take: TakeData): Promise<void> {
  return new EventReader(answer, take).outcome;
}

class EventReader {
  readonly #answer: Readable;
  readonly #take: TakeData;
  readonly #parser = new SseParser();
  readonly #outcome = Promise.withResolvers<void>();
  #state: "reading" | "waiting" | "over" = "reading";
  #ended = false;

  constructor(answer: Readable, take: TakeData) {
    this.#answer = answer;
    this.#take = take;
    answer.on("data", (part: Buffer) => this.#push(part));
    answer.once("end", () => this.#end());
    // Errors stay heard when the reading is over: one that nobody listens to would end the process.
    answer.on("error", (error) => this.#fail(error));
    answer.once("close", () => this.#close());
  }

  get outcome(): Promise<void> {
    return this.#outcome.promise;
  }

  #push(part: Buffer): void {
    if (this.#state === "over") return;
    this.#parser.push(part);
    if (this.#state === "reading") this.#read();
  }

  #end(): void {
    this.#ended = true;
    if (this.#state === "reading") this.#complete();
  }

  /** An answer that has ended closes too, perhaps before its last events are taken. */
  #close(): void {
    if (!this.#ended) this.#fail(new Error("the connection closed"));
  }

  /** Reads what is there, up to an event that has to wait. */
  #read(): void {
    try {
      for (let event = this.#parser.next(); event; event = this.#parser.next()) {
        const wish = this.#take(event.data);
        if (wish === undefined) continue;
        if (wish === "enough") this.#complete();
        else this.#wait(wish);
        return;
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  #wait(until: Promise<void>): void {
    this.#state = "waiting";
    this.#answer.pause();
    until.then(
      () => this.#goOn(),
      (error: unknown) => this.#fail(error),
    );
  }

  #goOn(): void {
    if (this.#state !== "waiting") return;
    this.#state = "reading";
    this.#read();
    // Another event may have to wait, or have been the last.
    if (this.#state !== "reading") return;
    if (this.#ended) this.#complete();
    else this.#answer.resume();
  }

  #complete(): void {
    this.#state = "over";
    this.#outcome.resolve();
  }

  #fail(error: unknown): void {
    this.#state = "over";
    this.#outcome.reject(error);
  }
}
