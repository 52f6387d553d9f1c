import { describe, expect, it } from "vitest";
import type { AnswerDelta } from "../../../domain/job/deltas.ts";
import type { AnswerPart } from "../answers.ts";
import { CHAT_STREAM } from "./chat.ts";
import { writeStream } from "./stream.ts";

/** A model's name as bad as one can be: it goes into each chunk. */
const HEAD = { id: "chatcmpl-1", object: "chat.completion.chunk", created: 1, model: 'a"text"b' };

async function* parts(deltas: readonly AnswerDelta[]): AsyncGenerator<AnswerPart, void, void> {
  yield { type: "segment", segment: 1, miner_id: "miner-1", isSeam: false };
  for (const [index, delta] of deltas.entries()) yield { type: "delta", seq: index + 1, delta };
}

/** The stream of an answer, written by a shape whose chunks are made once, or each anew. */
async function write(
  deltas: readonly AnswerDelta[],
  isPure: boolean,
  includesUsage: boolean,
): Promise<string[]> {
  const answer = {
    jobId: "job",
    createdAt: 1,
    replayed: false,
    parts: parts(deltas),
    cancel: async () => {},
  };
  const shape = { ...CHAT_STREAM, isPure };
  const written: string[] = [];
  const options = { head: HEAD, shape, includesUsage, requestId: "r", onError: () => {} };
  for await (const event of writeStream(answer, options)) written.push(event);
  return written;
}

describe("chunks of a chat that are made from one for all texts", () => {
  it.each([true, false])("are what each would be by itself (usage: %s)", async (includesUsage) => {
    const deltas: AnswerDelta[] = [
      { text: "first" },
      { text: 'quotes " and \\ and \n and 😀' },
      { text: "" },
      { choice: 1, text: "another choice" },
      { choice: 1, text: "$& $1" },
      { reasoning: "hm" },
      { text: "with", logprobs: [{ token: "with", logprob: -1 }] },
      { text: "last", finish_reason: "stop" },
      { text: "after" },
    ];
    const once = await write(deltas, true, includesUsage);
    expect(once).toEqual(await write(deltas, false, includesUsage));
    expect(once.join("")).toContain('"content":"$& $1"');
  });
});
