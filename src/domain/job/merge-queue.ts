/** Two neighbouring symbols that may become one token. */
export interface Merge {
  readonly score: number;
  /** Numbers of the two symbols, which are in the order of the text. */
  readonly left: number;
  readonly right: number;
  /** UTF-16 units of both together when this was proposed: another length says that one of them has changed. */
  readonly length: number;
}

/** Whether `a` is merged before `b`: the higher score, then the place further left. */
function precedes(a: Merge, b: Merge): boolean {
  return a.score > b.score || (a.score === b.score && a.left < b.left);
}

/** Merges by precedence: a binary heap, so that a long word costs n log n and not n². */
export class MergeQueue {
  readonly #heap: Merge[] = [];

  push(merge: Merge): void {
    const heap = this.#heap;
    let at = heap.length;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = heap[above];
      if (!parent || precedes(parent, merge)) break;
      heap[at] = parent;
      at = above;
    }
    heap[at] = merge;
  }

  /** Takes out the merge that comes first; undefined when there is none. */
  pop(): Merge | undefined {
    const first = this.#heap[0];
    const last = this.#heap.pop();
    if (last && this.#heap.length > 0) this.#sink(last);
    return first;
  }

  #sink(merge: Merge): void {
    const heap = this.#heap;
    let at = 0;
    for (;;) {
      const left = heap[2 * at + 1];
      const right = heap[2 * at + 2];
      const takesRight = left !== undefined && right !== undefined && precedes(right, left);
      const child = takesRight ? right : left;
      if (!child || precedes(merge, child)) break;
      heap[at] = child;
      at = 2 * at + (takesRight ? 2 : 1);
    }
    heap[at] = merge;
  }
}
