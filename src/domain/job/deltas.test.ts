import { describe, expect, it } from "vitest";
import { answerFormat, neededFeatures, readDeltas, whyNotContinuable } from "./answer.ts";
import { createDeltaMeter, formatDelta, LineSplitter, parseDelta } from "./deltas.ts";
import { BYTES_METER, IMAGE_UNITS, promptUnits, segmentUnits } from "./meter.ts";
import { BYTES_ONLY } from "./meters.ts";

const METER = createDeltaMeter(BYTES_METER);

describe("a delta", () => {
  it("is what it was before it was written", () => {
    const delta = {
      choice: 1,
      text: "a\nb",
      logprobs: [{ token: "a", logprob: -0.5, bytes: [97], top: [{ token: "b", logprob: -2 }] }],
      tool_call: { index: 0, id: "c1", name: "sum", arguments: '{"a":' },
      finish_reason: "tool_calls",
    } as const;
    const line = formatDelta(delta);
    expect(line.indexOf("\n")).toBe(line.length - 1);
    expect(parseDelta(line)).toEqual(delta);
  });

  it.each([
    "",
    "x",
    "[]",
    "null",
    '{"other":1}',
    '{"__proto__":{}}',
    '{"choice":-1}',
    '{"choice":256}',
    '{"text":1}',
    '{"finish_reason":"done"}',
    '{"tool_call":{}}',
    '{"tool_call":{"index":0,"name":1}}',
    '{"logprobs":[{"token":"a"}]}',
    '{"logprobs":[{"token":"a","logprob":0,"top":[1]}]}',
  ])("is refused as %s", (line) => {
    expect(() => parseDelta(line)).toThrow("the answer is not made of deltas");
  });
});

describe("the meter of deltas", () => {
  it("counts what is said, each choice for itself, however the lines are cut", () => {
    const output =
      formatDelta({ text: "abcde" }) +
      formatDelta({ choice: 1, text: "abc", reasoning: "d" }) +
      formatDelta({ tool_call: { index: 0, name: "f", arguments: "{}" } }) +
      formatDelta({ choice: 2, embedding: "AAAA" });
    expect(segmentUnits(METER, "", output)).toBe(2 + 1);
    for (let cut = 0; cut <= output.length; cut++) {
      const counter = METER.counter();
      counter.add(output.slice(0, cut));
      counter.add(output.slice(cut));
      expect([counter.units, counter.whole]).toEqual([3, true]);
    }
  });

  it("knows where an answer may not end", () => {
    const counter = METER.counter();
    counter.add('{"text":"a"}\n{"te');
    expect([counter.units, counter.whole]).toEqual([1, false]);
    expect(() => counter.add("x\n")).toThrow("not made of deltas");
  });

  it("is found by its name, and chosen by the format", () => {
    expect(BYTES_ONLY.find("deltas/bytes/4")?.name).toBe("deltas/bytes/4");
    expect(BYTES_ONLY.forModel("", "deltas").name).toBe("deltas/bytes/4");
    expect(BYTES_ONLY.forModel("").name).toBe("bytes/4");
  });

  it("leaves the request to the meter within", () => {
    const request = {
      messages: [
        { content: [{ type: "text", text: "abcd" } as const, { type: "image" } as const] },
        { content: "", tool_calls: [{ name: "f", arguments: "{}x" }] },
      ],
      tools: [{ name: "f" }],
      input: ["abcd"],
    };
    const text = `abcdf{}x[{"name":"f"}]abcd`;
    expect(promptUnits(METER, request)).toBe(BYTES_METER.units(text.length) + IMAGE_UNITS);
  });
});

describe("a line", () => {
  it.each([
    ["in one part", 1],
    ["in many parts", 64],
  ])("is refused when it is longer than 128 Ki characters (%s)", (_name, parts) => {
    const most = 128 * 1024;
    const lines = new LineSplitter();
    for (let part = 0; part < parts; part++) expect(lines.push("x".repeat(most / parts))).toEqual([]);
    expect(() => lines.push("x")).toThrow(/longer than 131072 characters/);
    expect(() => new LineSplitter().push(`${"x".repeat(most + 1)}\n`)).toThrow(/longer than/);
    expect(new LineSplitter().push(`${"x".repeat(most)}\n`)).toHaveLength(1);
  });
});

describe("an answer", () => {
  it("is put together from its lines; what broke off is dropped", () => {
    const output = [
      formatDelta({ choice: 1, text: "B" }),
      formatDelta({ text: "A", logprobs: [{ token: "A", logprob: -1 }] }),
      formatDelta({ tool_call: { index: 1, id: "x", name: "g", arguments: "{" } }),
      formatDelta({ tool_call: { index: 1, arguments: "}" } }),
      formatDelta({ finish_reason: "tool_calls" }),
      '{"text":"lost',
    ].join("");
    const { choices, embeddings } = readDeltas(output);
    expect(embeddings).toEqual([]);
    expect(choices[1]).toMatchObject({ text: "B", finish_reason: null });
    expect(choices[0]).toMatchObject({
      text: "A",
      logprobs: [{ token: "A", logprob: -1 }],
      tool_calls: [
        { id: "", name: "", arguments: "" },
        { id: "x", name: "g", arguments: "{}" },
      ],
      finish_reason: "tool_calls",
    });
  });

  const base = { type: "inference" };
  it.each([
    [base, "text", true, ["text"]],
    [{ ...base, n: 1, tools: [], think: false }, "text", true, ["text"]],
    [{ ...base, tools: [{}], tool_choice: "none" }, "text", true, ["text"]],
    [{ ...base, format: { type: "json" } }, "text", false, ["text", "json"]],
    [{ ...base, n: 2 }, "deltas", false, ["text"]],
    [{ ...base, logprobs: 0 }, "deltas", false, ["text", "logprobs"]],
    [{ ...base, tools: [{}] }, "deltas", false, ["text", "tools"]],
    [{ ...base, tools: [{}], tool_choice: "required" }, "deltas", false, ["text", "forced_tools"]],
    [{ ...base, tools: [{}], tool_choice: { name: "f" } }, "deltas", false, ["text", "forced_tools"]],
    [{ ...base, messages: [{ role: "tool", content: "" }] }, "text", true, ["text", "tools"]],
    [{ ...base, think: true }, "deltas", false, ["text", "thinking"]],
    [{ ...base, presence_penalty: 1 }, "text", true, ["text", "penalties"]],
    [{ ...base, messages: [{ content: [{ type: "image" }] }] }, "text", true, ["text", "vision"]],
    [{ type: "embedding" }, "deltas", false, ["embedding"]],
  ] as const)(
    "to %j has a format, can go on or not, and needs features",
    (request, format, goesOn, needs) => {
      expect(answerFormat(request)).toBe(format);
      expect(whyNotContinuable(request) === undefined).toBe(goesOn);
      expect([...neededFeatures(request).keys()]).toEqual(needs);
    },
  );
});
