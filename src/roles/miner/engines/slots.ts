/** A bounded number of slots; who comes late waits in the order of coming. */
export class Slots {
  #count: number;
  #taken = 0;
  /** A change that waits until every slot is free. */
  #change: { readonly count: number; readonly ready: () => void } | undefined;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#count = count;
  }

  /** How many slots there are. */
  get count(): number {
    return this.#count;
  }

  /** Takes a slot, waiting for one. Rejects with the signal's reason. Every slot taken must be released. */
  async take(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#change === undefined && this.#taken < this.#count) {
      this.#taken += 1;
      return;
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const giveUp = (): void => {
      this.#waiting.splice(this.#waiting.indexOf(resolve), 1);
      reject(signal.reason);
    };
    signal.addEventListener("abort", giveUp, { once: true });
    this.#waiting.push(resolve);
    await promise.finally(() => signal.removeEventListener("abort", giveUp));
  }

  /** Gives a slot back, to whoever waits longest. */
  release(): void {
    this.#taken -= 1;
    this.#grant();
  }

  /** Changes the number of slots once all of them are free; nobody gets one before. `ready` is called just then. */
  resize(count: number, ready: () => void): void {
    this.#change = { count, ready };
    this.#grant();
  }

  #grant(): void {
    if (this.#change !== undefined) {
      if (this.#taken > 0) return;
      this.#change.ready();
      this.#count = this.#change.count;
      this.#change = undefined;
    }
    while (this.#taken < this.#count) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#taken += 1;
      next();
    }
  }
}
