/** Counts what was sent and not yet taken; a full window makes the sender wait. One sender. */
export class Window {
  readonly #size: number;
  #untaken = 0;
  #open = false;
  #waiting: PromiseWithResolvers<void> | undefined;

  constructor(size: number) {
    this.#size = size;
  }

  /** One more was sent. The promise, if any, resolves when there is room for the next. */
  sent(): Promise<void> | undefined {
    this.#untaken += 1;
    if (this.#open || this.#untaken < this.#size) return undefined;
    this.#waiting = Promise.withResolvers();
    return this.#waiting.promise;
  }

  /** The other side took one. */
  taken(): void {
    this.#untaken -= 1;
    this.#release();
  }

  /** Nobody counts any more: nothing waits from here on. */
  open(): void {
    this.#open = true;
    this.#release();
  }

  #release(): void {
    this.#waiting?.resolve();
    this.#waiting = undefined;
  }
}
