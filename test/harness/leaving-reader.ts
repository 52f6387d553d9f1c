import { parseJobEvent } from "../../src/client/job-stream.ts";
import { parseSse } from "../../src/kernel/http/sse.ts";
import type { EndEvent } from "../../src/wire/job-events.ts";
import type { TestDaemon } from "./daemon.ts";

/** Most bytes that one connection takes before its reader goes away: a few events, or a part of one. */
const MOST_BYTES = 600;

/** A small generator (mulberry32): a test that fails repeats its choices. */
function createChance(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/**
 * A reader of a job's stream that goes away after any byte, in the middle of an event or not, and comes back with
 * the id of the last event that it has read whole.
 */
export class LeavingReader {
  text = "";
  readonly seqs: number[] = [];
  end: EndEvent | undefined;
  connections = 0;
  readonly #chance: (below: number) => number;

  constructor(seed: number) {
    this.#chance = createChance(seed);
  }

  /** Reads to the end of the stream. `daemon` is asked anew for each connection: it may be another one by then. */
  async readAll(daemon: () => TestDaemon, jobId: string): Promise<void> {
    while (!this.end) await this.connect(daemon(), jobId);
  }

  /** One connection: reads so many bytes, or to the end. A daemon that is away is no end. */
  async connect(daemon: TestDaemon, jobId: string): Promise<void> {
    const last = this.seqs.at(-1);
    const headers = {
      "x-api-key": daemon.keys.client,
      ...(last !== undefined && { "last-event-id": `${last}` }),
    };
    const response = await fetch(`${daemon.url}/v1/jobs/${jobId}/events`, { headers }).catch(() => undefined);
    // Lets the rest of the process go on.
    if (!response?.body) return new Promise((resolve) => setImmediate(resolve));
    this.connections++;
    for await (const message of parseSse(firstBytes(response.body, 1 + this.#chance(MOST_BYTES)))) {
      const event = parseJobEvent(message);
      if (event?.event === "end") this.end = event.data;
      if (event?.event !== "chunk") continue;
      this.text += event.data.text;
      this.seqs.push(event.id);
    }
  }
}

/** So many bytes of a body, then goes away. A body that breaks ends. */
async function* firstBytes(body: ReadableStream<Uint8Array>, count: number): AsyncGenerator<Uint8Array> {
  const reader = body.getReader();
  let left = count;
  try {
    while (left > 0) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value.subarray(0, left);
      left -= value.length;
    }
  } catch {
    // The daemon was stopped.
  } finally {
    await reader.cancel().catch(() => {});
  }
}
