/**
 * In which order waiting jobs are served: self-clocked fair queueing (S. J. Golestani, "A self-clocked fair queueing
 * scheme for broadband applications", INFOCOM 1994). A job gets its key when it comes in, and keeps it: the key of its
 * flow's last waiting job, or the key served last where that is larger, plus what a job of its weight costs. The
 * smallest key is served next. So the order of any number of jobs is one number a job, and a claim is one descent of
 * an index.
 *
 * A flow is the jobs of one client with one priority. A job counts as one, whatever it asks for: what it will use is
 * not known before. A priority is a weight too, which is what keeps a low one from waiting for ever: while a job of
 * the lowest priority waits, each other client gets at most PRIORITY_STEP ** 3 jobs of the highest before it.
 */

/** How many times more often a job is served than one of the next lower priority. */
export const PRIORITY_STEP = 8;
/** Priorities go up to this one. */
const TOP_PRIORITY = 3;
/** Weights of clients: whole numbers, 1 unless said otherwise. */
export const MAX_WEIGHT = 1_000;
/** Cost of a job of the lowest priority and weight 1; of the highest of both it is 1. Keys stay far below 2^53. */
const COST = PRIORITY_STEP ** TOP_PRIORITY * MAX_WEIGHT;
/** Key of a job that is served before all others. */
export const FRONT_KEY = 0;

/** Whose job it is, and how much it counts. */
export interface Flow {
  /** Number of the client, below 2^48. */
  readonly client: number;
  readonly priority: number;
  readonly weight: number;
}

/** Key of a flow in a map: below 2^52. */
const PRIORITIES = 16;
const nameOf = ({ client, priority }: Flow): number => client * PRIORITIES + priority;
const costOf = ({ priority, weight }: Flow): number =>
  Math.max(1, Math.round(COST / (weight * PRIORITY_STEP ** Math.min(priority, TOP_PRIORITY))));

/** How often a flow is served, relative to others. */
export const shareOf = (flow: Flow): number => COST / costOf(flow);

/** What waits of one flow. */
interface Waiting {
  readonly flow: Flow;
  /** Key of its last job. */
  last: number;
  jobs: number;
}

/** Waiting jobs of one flow in one class. */
export interface WaitingFlow extends Flow {
  readonly jobs: number;
}

/** The order within one class of jobs, all of which the same miners can run. */
class ClassOrder {
  /** Key that was served last: the class's own time. */
  served = FRONT_KEY;
  readonly flows = new Map<number, Waiting>();
}

/** Flows whose service is remembered over all classes; beyond it those are forgotten that gain nothing by it. */
const MAX_REMEMBERED = 10_000;

/** The order of all classes. It lives in memory; the keys lie in the rows, and `restore` begins with them again. */
export class FairOrder {
  readonly #classes = new Map<number, ClassOrder>();
  /** Over all classes, for miners that serve several: what each flow was served, on one clock. */
  readonly #served = new Map<number, number>();
  #clock = 0;

  /** The key of a new job. It waits from here on. */
  enter(classId: number, flow: Flow): number {
    const key = this.peek(classId, flow);
    this.#wait(classId, flow, key, 1);
    return key;
  }

  /** The key that a new job would get. */
  peek(classId: number, flow: Flow): number {
    const order = this.#classes.get(classId);
    const last = order?.flows.get(nameOf(flow))?.last ?? FRONT_KEY;
    return Math.max(order?.served ?? FRONT_KEY, last) + costOf(flow);
  }

  /** The key of a job that was served and must be again: as if it were its flow's only one. */
  enterAgain(classId: number, flow: Flow): number {
    const key = (this.#classes.get(classId)?.served ?? FRONT_KEY) + costOf(flow);
    this.#wait(classId, flow, key, 1);
    return key;
  }

  /** Jobs that wait already, with the largest of their keys and the smallest. */
  restore(classId: number, flow: Flow, waiting: { jobs: number; last: number; first: number }): void {
    const isNew = !this.#classes.has(classId);
    this.#wait(classId, flow, waiting.last, waiting.jobs);
    const order = this.#classes.get(classId);
    // The key of the first is what was served then and its own cost.
    const served = Math.max(FRONT_KEY, waiting.first - costOf(flow));
    if (order) order.served = isNew ? served : Math.min(order.served, served);
  }

  /** A job has left the queue for a miner. */
  serve(classId: number, flow: Flow, key: number): void {
    const order = this.#classes.get(classId);
    if (order) order.served = Math.max(order.served, key);
    this.#leave(classId, flow, 0);
    this.#clock = this.#start(flow);
    this.#served.set(nameOf(flow), this.rank(flow));
    if (this.#served.size > MAX_REMEMBERED) this.#forget();
  }

  /** A job has left the queue without having been served: its flow owes nothing for it. */
  withdraw(classId: number, flow: Flow): void {
    this.#leave(classId, flow, costOf(flow));
  }

  /** Compares the first jobs of classes: the smallest goes first to a miner that serves all of them. */
  rank(flow: Flow): number {
    return this.#start(flow) + costOf(flow);
  }

  /** What waits in a class, by flow. */
  *waiting(classId: number): Generator<WaitingFlow, void, void> {
    for (const { flow, jobs } of this.#classes.get(classId)?.flows.values() ?? []) yield { ...flow, jobs };
  }

  /** Classes in which something waits. */
  classes(): Iterable<number> {
    return this.#classes.keys();
  }

  /** Whether something waits in a class. */
  hasWaiting(classId: number): boolean {
    return this.#classes.has(classId);
  }

  #start(flow: Flow): number {
    return Math.max(this.#clock, this.#served.get(nameOf(flow)) ?? 0);
  }

  #wait(classId: number, flow: Flow, last: number, jobs: number): void {
    let order = this.#classes.get(classId);
    if (!order) {
      order = new ClassOrder();
      this.#classes.set(classId, order);
    }
    const name = nameOf(flow);
    const waiting = order.flows.get(name);
    if (!waiting) order.flows.set(name, { flow, last, jobs });
    else {
      waiting.last = Math.max(waiting.last, last);
      waiting.jobs += jobs;
    }
  }

  /** A flow of which nothing waits begins anew, and so does a class. */
  #leave(classId: number, flow: Flow, refund: number): void {
    const order = this.#classes.get(classId);
    const waiting = order?.flows.get(nameOf(flow));
    if (!order || !waiting) return;
    waiting.jobs--;
    waiting.last -= refund;
    if (waiting.jobs <= 0) order.flows.delete(nameOf(flow));
    if (order.flows.size === 0) this.#classes.delete(classId);
  }

  #forget(): void {
    for (const [name, served] of this.#served) if (served <= this.#clock) this.#served.delete(name);
  }
}
