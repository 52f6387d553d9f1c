/** What is to happen at which simulated moment: a binary heap by time, then by the order in which it was asked for. */
interface Entry {
  readonly time: number;
  readonly order: number;
  readonly action: () => void;
}

export class Agenda {
  /** Simulated time in ms, from 0. */
  now = 0;
  readonly #heap: Entry[] = [];
  #order = 0;

  /** Has something happen after so many ms. */
  after(delayMs: number, action: () => void): void {
    const entry = { time: this.now + delayMs, order: this.#order++, action };
    let index = this.#heap.push(entry) - 1;
    while (index > 0) {
      const above = (index - 1) >> 1;
      const parent = this.#heap[above];
      if (!parent || !isBefore(entry, parent)) break;
      this.#heap[index] = parent;
      index = above;
    }
    this.#heap[index] = entry;
  }

  /** Lets the next thing happen; false when there is none. */
  advance(): boolean {
    const [first] = this.#heap;
    const last = this.#heap.pop();
    if (!first || !last) return false;
    if (this.#heap.length > 0) this.#sink(last);
    this.now = first.time;
    first.action();
    return true;
  }

  #sink(entry: Entry): void {
    let index = 0;
    for (;;) {
      let below = 2 * index + 1;
      const [left, right] = [this.#heap[below], this.#heap[below + 1]];
      if (left && right && isBefore(right, left)) below++;
      const child = this.#heap[below];
      if (!child || !isBefore(child, entry)) break;
      this.#heap[index] = child;
      index = below;
    }
    this.#heap[index] = entry;
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.time < b.time || (a.time === b.time && a.order < b.order);
}
