import { z } from "zod";
import { JOB_STATES } from "../domain/job/state.ts";
import { QueueView, Usage } from "./jobs.ts";

/** Data of the server-sent event `state`: where the job stands. It has no `id:`, since it is not replayed. */
export const StateEvent = z.object({
  state: z.enum(JOB_STATES),
  attempt: z.int(),
  miner_id: z.string().nullable(),
  queue: QueueView.optional(),
});
export type StateEvent = z.infer<typeof StateEvent>;

/** Data of the event `chunk`: text of the answer. `id:` is `seq`. */
export const ChunkEvent = z.object({
  seq: z.int().min(1),
  /** The lease token of the segment that delivered it: a change marks the seam between two miners. */
  segment: z.int().min(1),
  /** Text of the answer, or a part of its lines, which may begin and end anywhere. */
  text: z.string(),
  /** There where `text` is made of lines, each a JSON object that adds to the answer. */
  format: z.literal("deltas").exactOptional(),
});
export type ChunkEvent = z.infer<typeof ChunkEvent>;

/** Data of the last event, `end`. Its `id:` is one above the last chunk's. */
export const EndEvent = z.object({
  state: z.enum(JOB_STATES),
  error: z.string().nullable(),
  finish_reason: z.string().nullable(),
  delivered_bytes: z.int(),
  receipt_id: z.string().nullable(),
  units: z.int().meta({ description: "Units charged for the whole job" }),
  usage: Usage.nullable(),
});
export type EndEvent = z.infer<typeof EndEvent>;

/** One event of a job's stream. */
export type JobEvent =
  | { readonly event: "state"; readonly data: StateEvent }
  | { readonly event: "chunk"; readonly id: number; readonly data: ChunkEvent }
  | { readonly event: "end"; readonly id: number; readonly data: EndEvent };
