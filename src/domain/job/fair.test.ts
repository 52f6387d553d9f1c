import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FairOrder, type Flow, PRIORITY_STEP } from "./fair.ts";

const CLASS = 1;

interface Job {
  readonly flow: Flow;
  readonly key: number;
  readonly number: number;
}

/** A queue of one class as the index keeps it: by key, then by age. */
class Queue {
  readonly order = new FairOrder();
  readonly jobs: Job[] = [];
  #next = 0;

  add(client: number, times = 1, { priority = 1, weight = 1 } = {}): void {
    const flow = { client, priority, weight };
    for (let job = 0; job < times; job++) {
      this.jobs.push({ flow, key: this.order.enter(CLASS, flow), number: this.#next++ });
    }
    this.jobs.sort((a, b) => a.key - b.key || a.number - b.number);
  }

  serve(): Job {
    const job = this.jobs.shift();
    if (!job) throw new Error("nothing waits");
    this.order.serve(CLASS, job.flow, job.key);
    return job;
  }

  serveMany(times: number): Job[] {
    return Array.from({ length: times }, () => this.serve());
  }
}

const clientsOf = (jobs: readonly Job[]): number[] => jobs.map(({ flow }) => flow.client);

describe("jobs of several clients", () => {
  it("of which one has 100,000 and one a single one: that is among the next two, whenever it comes", () => {
    const queue = new Queue();
    queue.add(1, 100_000);
    for (const served of [0, 1, 50, 3_000]) {
      queue.serveMany(served);
      queue.add(2);
      expect(clientsOf(queue.serveMany(2))).toContain(2);
    }
  });

  it("are served in turns, whoever came first and with how many", () => {
    const queue = new Queue();
    queue.add(1, 300);
    queue.serveMany(100);
    queue.add(2, 50);
    queue.add(3, 50);
    const clients = clientsOf(queue.serveMany(90));
    for (const client of [1, 2, 3]) {
      const times = clients.filter((one) => one === client).length;
      expect(times).toBeGreaterThanOrEqual(29);
      expect(times).toBeLessThanOrEqual(31);
    }
  });

  it("are served by weight", () => {
    const queue = new Queue();
    queue.add(1, 1_000, { weight: 3 });
    queue.add(2, 1_000, { weight: 1 });
    expect(clientsOf(queue.serveMany(400)).filter((client) => client === 1).length).toBe(300);
  });

  it("give nobody credit for time in which nothing of theirs waited", () => {
    const queue = new Queue();
    queue.add(1, 1_000);
    queue.serveMany(500);
    queue.add(2, 100);
    expect(clientsOf(queue.serveMany(100)).filter((client) => client === 2).length).toBeLessThanOrEqual(51);
  });

  it("cost nothing when they are withdrawn", () => {
    const queue = new Queue();
    queue.add(1, 100);
    const flow = { client: 2, priority: 1, weight: 1 };
    for (let job = 0; job < 1_000; job++) queue.order.enter(CLASS, flow);
    for (let job = 0; job < 1_000; job++) queue.order.withdraw(CLASS, flow);
    queue.add(2);
    expect(clientsOf(queue.serveMany(2))).toContain(2);
  });

  it("of any number: each is served after at most two jobs of each other client", () => {
    const some = fc.array(fc.record({ client: fc.nat(8), jobs: fc.integer({ min: 1, max: 30 }) }), {
      minLength: 1,
      maxLength: 12,
    });
    fc.assert(
      fc.property(some, fc.nat(50), (batches, served) => {
        const queue = new Queue();
        for (const { client, jobs } of batches) queue.add(client, jobs);
        queue.serveMany(Math.min(served, queue.jobs.length));
        queue.add(100);
        const others = new Set(clientsOf(queue.jobs)).size - 1;
        const most = Math.min(2 * others + 1, queue.jobs.length);
        expect(clientsOf(queue.serveMany(most))).toContain(100);
      }),
    );
  });
});

describe("priorities", () => {
  it("go before age, for jobs of one client", () => {
    const queue = new Queue();
    for (const priority of [1, 3, 0, 3]) queue.add(1, 1, { priority });
    expect(queue.serveMany(4).map(({ number }) => number)).toEqual([1, 3, 0, 2]);
  });

  it("keep a low one waiting for so many high ones of each client, and no longer", () => {
    const queue = new Queue();
    const most = PRIORITY_STEP ** 3;
    queue.add(1, 1, { priority: 0 });
    queue.add(2, 10 * most, { priority: 3 });
    queue.add(3, 10 * most, { priority: 3 });
    const before = queue.serveMany(2 * most + 1);
    expect(clientsOf(before)).toContain(1);
    expect(clientsOf(before).indexOf(1)).toBeGreaterThan(most);
  });
});

describe("classes that one miner serves", () => {
  it("gain their client nothing by their number", () => {
    const order = new FairOrder();
    const one = { client: 1, priority: 1, weight: 1 };
    const two = { client: 2, priority: 1, weight: 1 };
    const served: number[] = [];
    for (let job = 0; job < 100; job++) {
      // Nine classes are the first client's, the tenth is the other's.
      const first = order.rank(one) <= order.rank(two) ? one : two;
      order.serve(job, first, 0);
      served.push(first.client);
    }
    expect(served.filter((client) => client === 2).length).toBe(50);
  });
});

describe("a restart", () => {
  it("goes on where the rows stand: waiting jobs stay in turns with new ones", () => {
    const queue = new Queue();
    queue.add(1, 200);
    queue.serveMany(100);
    const order = new FairOrder();
    const keys = queue.jobs.map(({ key }) => key);
    const flow = { client: 1, priority: 1, weight: 1 };
    order.restore(CLASS, flow, { jobs: keys.length, first: Math.min(...keys), last: Math.max(...keys) });
    expect(order.peek(CLASS, { ...flow, client: 2 })).toBeLessThanOrEqual(keys[0] ?? 0);
    expect(order.peek(CLASS, flow)).toBeGreaterThan(Math.max(...keys));
  });
});
