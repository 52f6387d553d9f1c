import type { Client } from "../../src/client/client.ts";
import type { StreamOptions } from "../../src/client/job-stream.ts";
import type { EndEvent, JobEvent, StateEvent } from "../../src/wire/job-events.ts";

/** What a reader of a job's stream got. */
export interface Reading {
  readonly events: readonly JobEvent[];
  readonly text: string;
  /** Sequence numbers of the chunks, in the order of arrival. */
  readonly seqs: readonly number[];
  readonly end: EndEvent | undefined;
}

export function toReading(events: readonly JobEvent[]): Reading {
  const chunks = events.flatMap((event) => (event.event === "chunk" ? [event] : []));
  return {
    events,
    text: chunks.map(({ data }) => data.text).join(""),
    seqs: chunks.map(({ id }) => id),
    end: events.flatMap((event) => (event.event === "end" ? [event.data] : []))[0],
  };
}

/** Reads a job's stream to its end. */
export async function readStream(
  client: Client,
  jobId: string,
  options: StreamOptions = {},
): Promise<Reading> {
  const events: JobEvent[] = [];
  for await (const event of client.jobEvents(jobId, options)) events.push(event);
  return toReading(events);
}

/** Reads a job's stream until an event fits, then leaves it. */
export async function readUntil(
  client: Client,
  jobId: string,
  fits: (event: JobEvent, text: string) => boolean,
  options: StreamOptions = {},
): Promise<Reading> {
  const events: JobEvent[] = [];
  for await (const event of client.jobEvents(jobId, options)) {
    events.push(event);
    if (fits(event, toReading(events).text)) return toReading(events);
  }
  throw new Error(`the stream of ${jobId} ended before the event that was waited for`);
}

/** Waits until a job's stream shows a state that fits. */
export async function waitForState(
  client: Client,
  jobId: string,
  fits: (state: StateEvent) => boolean,
): Promise<StateEvent> {
  const { events } = await readUntil(client, jobId, (event) => event.event === "state" && fits(event.data));
  const last = events.at(-1);
  if (last?.event !== "state") throw new Error("the last event is the one that fits");
  return last.data;
}
