import { sha256Hex } from "../../crypto/hash.ts";
import { FairOrder, type Flow, FRONT_KEY, type WaitingFlow } from "../../domain/job/fair.ts";
import { GenerationCache } from "../../kernel/db/generation-cache.ts";
import type { OwnChoice } from "./claims-under-way.ts";
import type { CoordinatorConfig } from "./config.ts";
import type { Lease } from "./lease.ts";
import type { Store } from "./ports.ts";
import type { QueuePlace } from "./store/jobs.ts";
import { type Head, listFlows, park, unpark, unparkAll } from "./store/queue.ts";
import type { JobTable, QueueTable } from "./tables.ts";

/** Hex digits of a client's number: 48 bits, so that it is an exact integer everywhere and two clients hardly meet. */
const NUMBER_DIGITS = 12;
/** Jobs of one class that are brought back at once; there is seldom room for more. */
const MOST_UNPARKED = 1_000;
/** Clients whose number is remembered. */
const CACHED_CLIENTS = 10_000;

/** A claim under way. It notes the client whose job it is about to take, so that others count it as running. */
export interface ClaimTicket {
  clientNumber: number | undefined;
}

/** Jobs of a client that are being brought back. */
interface Return {
  readonly clientNumber: number;
  /** Classes in which others of its jobs were passed over meanwhile. */
  readonly passedOver: Set<number>;
}

type Queued = Pick<QueueTable, "requirement_id" | "client_number" | "priority">;
type Submitted = Pick<JobTable, "requirement_id" | "client_id" | "priority">;

/** The shares of the clients: whose job comes next, and how many of a client's jobs run at once. */
export class FairShare {
  readonly #store: Store;
  readonly #config: CoordinatorConfig;
  readonly #order = new FairOrder();
  readonly #numbers = new GenerationCache<number>(CACHED_CLIENTS);
  readonly #shares = new Map<number, { weight: number; maxRunning: number | null }>();
  /** Running jobs, by client. */
  readonly #running = new Map<number, number>();
  readonly #tickets = new Set<ClaimTicket>();
  /** Clients of which jobs are set aside. */
  readonly #parked = new Set<number>();
  readonly #returns = new Set<Return>();
  readonly #limited: boolean;

  constructor(store: Store, config: CoordinatorConfig) {
    this.#store = store;
    this.#config = config;
    for (const [clientId, { weight, max_running: maxRunning }] of Object.entries(config.client_shares)) {
      this.#shares.set(this.numberOf(clientId), { weight, maxRunning });
    }
    const own = [...this.#shares.values()];
    this.#limited = config.max_running_per_client !== null || own.some((share) => share.maxRunning !== null);
  }

  /** Takes up what waits from before a restart. */
  async load(): Promise<void> {
    await this.#store.operation(unparkAll);
    for (const row of await listFlows(this.#store.db)) {
      const { requirement_id, jobs, first, last } = row;
      this.#order.restore(requirement_id, this.flowOf(row), { jobs, first, last });
    }
  }

  /** A client as the queue's rows name it. */
  numberOf(clientId: string): number {
    const known = this.#numbers.get(clientId);
    if (known !== undefined) return known;
    const number = Number.parseInt(sha256Hex(clientId).slice(0, NUMBER_DIGITS), 16);
    this.#numbers.set(clientId, number);
    return number;
  }

  /** Gives a new job its place. */
  enter(job: Submitted): QueuePlace {
    const flow = this.#flowOfJob(job);
    return { client_number: flow.client, order_key: this.#order.enter(job.requirement_id, flow) };
  }

  /** The place that a job would get. */
  peek(job: Submitted): QueuePlace {
    const flow = this.#flowOfJob(job);
    return { client_number: flow.client, order_key: this.#order.peek(job.requirement_id, flow) };
  }

  /** Gives a job its place that must run again. */
  enterAgain(job: Submitted): QueuePlace {
    const flow = this.#flowOfJob(job);
    return { client_number: flow.client, order_key: this.#order.enterAgain(job.requirement_id, flow) };
  }

  /** A job has left the queue for a miner. */
  serve(place: QueueTable): void {
    this.#order.serve(place.requirement_id, this.flowOf(place), place.order_key);
  }

  /** A job has left the queue otherwise, or never entered it. */
  withdraw(place: Queued): void {
    this.#order.withdraw(place.requirement_id, this.flowOf(place));
  }

  /** What waits in a class, by client and priority. */
  waiting(requirementId: number): WaitingFlow[] {
    return [...this.#order.waiting(requirementId)];
  }

  /** Whether something waits in a class. */
  hasWaiting(requirementId: number): boolean {
    return this.#order.hasWaiting(requirementId);
  }

  /** Classes in which something waits. */
  get classes(): number[] {
    return [...this.#order.classes()];
  }

  /** The place of a flow's next job among the first jobs of several classes. */
  rank(head: Head): number {
    return head.order_key === FRONT_KEY ? FRONT_KEY : this.#order.rank(this.flowOf(head));
  }

  begun({ job }: Lease): void {
    const number = this.numberOf(job.client_id);
    this.#running.set(number, (this.#running.get(number) ?? 0) + 1);
  }

  /** Returns the client's number where jobs of it were set aside: there is room for one now. */
  ended({ job }: Lease): number | undefined {
    const number = this.numberOf(job.client_id);
    const left = (this.#running.get(number) ?? 1) - 1;
    if (left > 0) this.#running.set(number, left);
    else this.#running.delete(number);
    return this.#parked.has(number) ? number : undefined;
  }

  /** Begins a claim; `endClaim` ends it. */
  beginClaim(): ClaimTicket {
    const ticket: ClaimTicket = { clientNumber: undefined };
    if (this.#limited) this.#tickets.add(ticket);
    return ticket;
  }

  endClaim(ticket: ClaimTicket): void {
    this.#tickets.delete(ticket);
  }

  /** What a search of this claim goes by; `isHeld` says which jobs wait for another miner. */
  choiceFor(ticket: ClaimTicket, isHeld: (head: Head) => boolean): OwnChoice {
    return {
      whyNot: (head) => {
        if (this.#passOver(head)) return "return";
        if (this.#limited && !this.#hasRoom(head.client_number, ticket)) return "client";
        return isHeld(head) ? "miner" : undefined;
      },
      rank: (head) => this.rank(head),
    };
  }

  /** Why a client's jobs wait for each other now; undefined when they do not. */
  whyFull(clientId: string): string | undefined {
    const number = this.numberOf(clientId);
    if (this.#hasRoom(number, undefined)) return undefined;
    return `its client runs ${this.#running.get(number) ?? 0} jobs, as many as it may at once`;
  }

  /** Sets jobs aside that no miner can take before others of their clients end. */
  async park(heads: readonly Pick<QueueTable, "job_id" | "client_number">[]): Promise<void> {
    const note = (): void => {
      for (const { client_number } of heads) this.#parked.add(client_number);
    };
    note();
    await this.#store.operation(
      park,
      heads.map(({ job_id }) => job_id),
    );
    // What was brought back before may have been the last, as it seemed.
    note();
  }

  /** Clients of which jobs are set aside, though another one may run. */
  parkedWithRoom(): number[] {
    return [...this.#parked].filter((client) => this.#hasRoom(client, undefined));
  }

  /**
   * Brings jobs back that were set aside. Others of the client come after them, and are passed over meanwhile. Returns
   * the classes in which there is something to look for afterwards.
   */
  async unpark(clientNumber: number): Promise<number[]> {
    const room = Math.min(this.#roomOf(clientNumber, undefined), MOST_UNPARKED);
    if (room <= 0) return [];
    const underWay: Return = { clientNumber, passedOver: new Set() };
    this.#returns.add(underWay);
    try {
      const classes = await this.#store.operation(unpark, clientNumber, room);
      if (classes.length === 0) this.#parked.delete(clientNumber);
      return [...underWay.passedOver.union(new Set(classes))];
    } finally {
      this.#returns.delete(underWay);
    }
  }

  /** Whose job a place is, and how much it counts. */
  flowOf({ client_number, priority }: Pick<QueueTable, "client_number" | "priority">): Flow {
    return { client: client_number, priority, weight: this.#weightOf(client_number) };
  }

  /** Whether a job has to wait for others of its client that are being brought back. */
  #passOver({ client_number, requirement_id }: Head): boolean {
    let isPassedOver = false;
    for (const { clientNumber, passedOver } of this.#returns) {
      if (clientNumber !== client_number) continue;
      passedOver.add(requirement_id);
      isPassedOver = true;
    }
    return isPassedOver;
  }

  #hasRoom(clientNumber: number, ticket: ClaimTicket | undefined): boolean {
    return this.#roomOf(clientNumber, ticket) > 0;
  }

  /** How many more jobs of a client may run. */
  #roomOf(clientNumber: number, own: ClaimTicket | undefined): number {
    const share = this.#shares.get(clientNumber);
    const most = share?.maxRunning ?? this.#config.max_running_per_client;
    if (most === null) return Number.POSITIVE_INFINITY;
    let taken = this.#running.get(clientNumber) ?? 0;
    for (const ticket of this.#tickets) {
      if (ticket !== own && ticket.clientNumber === clientNumber) taken++;
    }
    return most - taken;
  }

  #flowOfJob({ client_id, priority }: Submitted): Flow {
    const client = this.numberOf(client_id);
    return { client, priority, weight: this.#weightOf(client) };
  }

  #weightOf(client: number): number {
    return this.#shares.get(client)?.weight ?? 1;
  }
}
