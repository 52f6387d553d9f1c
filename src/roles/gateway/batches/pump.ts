/** Lines that are made jobs at the same time: each is in memory meanwhile. */
const SUBMIT_AT_ONCE = 8;

/** A batch as the pump sees it. */
export interface Pumped {
  readonly ownerId: string;
  readonly model: string;
  /** Whether its next line can become a job, as far as the batch itself is concerned. */
  readonly ready: boolean;
  /** Makes its next line a job. Never rejects. */
  submitNext(): Promise<void>;
}

/**
 * Makes lines of batches jobs, as many as idle miners would begin at once and no more: batches never wait in the
 * way of other jobs. The owners take turns, and so do the batches of each.
 */
export class Pump {
  readonly #room: (model: string) => number;
  /** Batches by owner, those whose turn is farthest away last. */
  readonly #owners = new Map<string, Pumped[]>();
  /** Submissions under way, by model: their jobs are not in the queue yet. */
  readonly #reserved = new Map<string, number>();
  #busy = 0;
  #isDue = false;

  constructor(room: (model: string) => number) {
    this.#room = room;
  }

  add(batch: Pumped): void {
    const others = this.#owners.get(batch.ownerId);
    if (others) others.push(batch);
    else this.#owners.set(batch.ownerId, [batch]);
    this.nudge();
  }

  remove(batch: Pumped): void {
    const left = this.#owners.get(batch.ownerId)?.filter((other) => other !== batch) ?? [];
    if (left.length > 0) this.#owners.set(batch.ownerId, left);
    else this.#owners.delete(batch.ownerId);
  }

  /** Something has changed: a miner has become idle, or a batch has lines again. */
  nudge(): void {
    if (this.#isDue || this.#owners.size === 0) return;
    this.#isDue = true;
    queueMicrotask(() => {
      this.#isDue = false;
      this.#pump();
    });
  }

  #pump(): void {
    const rooms = new Map<string, number>();
    while (this.#busy < SUBMIT_AT_ONCE) {
      const batch = this.#next(rooms);
      if (!batch) return;
      const { model } = batch;
      rooms.set(model, (rooms.get(model) ?? 0) - 1);
      this.#count(model, 1);
      batch.submitNext().finally(() => {
        this.#count(model, -1);
        this.nudge();
      });
    }
  }

  #count(model: string, by: 1 | -1): void {
    this.#busy += by;
    const reserved = (this.#reserved.get(model) ?? 0) + by;
    if (reserved > 0) this.#reserved.set(model, reserved);
    else this.#reserved.delete(model);
  }

  /** The batch whose turn it is; its owner and itself go to the end. */
  #next(rooms: Map<string, number>): Pumped | undefined {
    for (const [owner, batches] of this.#owners) {
      const index = batches.findIndex((batch) => batch.ready && this.#roomOf(batch.model, rooms) > 0);
      const batch = batches[index];
      if (!batch) continue;
      this.#owners.delete(owner);
      this.#owners.set(owner, [...batches.slice(0, index), ...batches.slice(index + 1), batch]);
      return batch;
    }
    return undefined;
  }

  #roomOf(model: string, rooms: Map<string, number>): number {
    const known = rooms.get(model);
    if (known !== undefined) return known;
    const room = this.#room(model) - (this.#reserved.get(model) ?? 0);
    rooms.set(model, room);
    return room;
  }
}
