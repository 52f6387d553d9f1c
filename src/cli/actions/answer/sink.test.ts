import { describe, expect, it } from "vitest";
import type { AnswerDelta } from "../../../domain/job/deltas.ts";
import { RecordSink, TextSink } from "./sink.ts";

function open(terminal: boolean) {
  const written = { stdout: "", stderr: "" };
  const output = (name: keyof typeof written) => ({
    isTTY: terminal,
    write(text: string) {
      written[name] += text;
      return true;
    },
    once() {},
  });
  return { written, io: { env: { NO_COLOR: "1" }, stdout: output("stdout"), stderr: output("stderr") } };
}

async function write(deltas: readonly AnswerDelta[], choices = 1, terminal = false) {
  const { io, written } = open(terminal);
  const sink = new TextSink(io, choices);
  for (const delta of deltas) await sink.write(delta);
  await sink.end();
  return written;
}

describe("an answer for people", () => {
  it("is its bytes in a pipe, and ends its line on a terminal", async () => {
    const deltas = [{ text: "Hel" }, { text: "lo" }, { finish_reason: "stop" as const }];
    expect((await write(deltas)).stdout).toBe("Hello");
    expect((await write(deltas, 1, true)).stdout).toBe("Hello\n");
    expect((await write([{ text: "Hello\n" }], 1, true)).stdout).toBe("Hello\n");
  });

  it("shows choices one after the other, however they come, also when they break off", async () => {
    const mixed: AnswerDelta[] = [
      { choice: 1, text: "two" },
      { choice: 0, text: "on" },
      { choice: 2, text: "thr" },
      { choice: 1, finish_reason: "stop" },
      { choice: 0, text: "e", finish_reason: "stop" },
      { choice: 2, text: "ee" },
    ];
    expect((await write(mixed, 3)).stdout).toBe("[1/3]\none\n[2/3]\ntwo\n[3/3]\nthree\n");
  });

  it("shows a choice at once while it is the first that has not ended", async () => {
    const { io, written } = open(false);
    const sink = new TextSink(io, 2);
    await sink.write({ choice: 1, text: "later" });
    await sink.write({ choice: 0, text: "now" });
    expect(written.stdout).toBe("[1/2]\nnow");
    expect(sink.midLine).toBe(true);
    await sink.write({ choice: 0, finish_reason: "stop" });
    expect(written.stdout).toBe("[1/2]\nnow\n[2/2]\nlater");
  });

  it("writes calls as JSON, also those whose arguments are none", async () => {
    const deltas: AnswerDelta[] = [
      { text: "Let me see." },
      { tool_call: { index: 0, id: "a", name: "f", arguments: '{"x"' } },
      { tool_call: { index: 1, id: "b", name: "g", arguments: "oops" } },
      { tool_call: { index: 0, arguments: ":1}" } },
      { finish_reason: "tool_calls" },
    ];
    expect((await write(deltas)).stdout).toBe(
      'Let me see.\n{"id":"a","name":"f","arguments":{"x":1}}\n{"id":"b","name":"g","arguments":"oops"}\n',
    );
  });

  it("tells how likely tokens were", async () => {
    const top = [
      { token: "a", logprob: 0 },
      { token: "b", logprob: -50 },
    ];
    const { stdout } = await write([{ text: "a", logprobs: [{ token: "a", logprob: Math.log(0.5), top }] }]);
    expect(stdout).toMatch(/^a\nTOKEN +PROBABILITY +LIKELIEST\n"a" +50\.0 % +"a" 100\.0 % {2}"b" 0\.0 %\n$/);
  });

  it("shows thoughts to whoever watches, and never as a part of the answer", async () => {
    const deltas: AnswerDelta[] = [{ reasoning: "hm\u001b[2J" }, { text: "Yes" }];
    expect(await write(deltas, 1, true)).toEqual({ stdout: "Yes\n", stderr: "hm\uFFFD[2J\n\n" });
    expect(await write(deltas)).toEqual({ stdout: "Yes", stderr: "" });
  });
});

describe("an answer for programs", () => {
  it("is one record for each piece", async () => {
    const { io, written } = open(false);
    const delta = { choice: 1, text: "a\nb" };
    await new RecordSink(io, "json").write(delta);
    await new RecordSink(io, "yaml").write(delta);
    expect(written.stdout).toBe(`${JSON.stringify(delta)}\nchoice: 1\ntext: |-\n  a\n  b\n---\n`);
  });
});
