import { describe, expect, it } from "vitest";
import { textsOf } from "../../../wire/job-texts.ts";
import { parseCsv } from "./csv.ts";
import { parseBatch } from "./entries.ts";

describe("CSV", () => {
  it("knows quotes, line ends and the line of each record", () => {
    const text = 'a,b\r\n"x, ""y""","two\nlines"\n\nlast,\n';
    expect(parseCsv(text)).toEqual([
      { line: 1, cells: ["a", "b"] },
      { line: 2, cells: ['x, "y"', "two\nlines"] },
      { line: 5, cells: ["last", ""] },
    ]);
  });

  it.each(['"open', '"a"b,c'])("refuses %s", (text) => {
    expect(() => parseCsv(text)).toThrow("line 1");
  });
});

describe("a batch", () => {
  const prompts = (text: string, name: string): unknown[] =>
    parseBatch(text, name).map(({ line, job, error }) => [line, job ? textsOf(job.payload)[0] : error]);

  it("is read from each format", () => {
    expect(prompts('["a",{"prompt":"b","priority":2}]', "x.json")).toEqual([
      [1, "a"],
      [2, "b"],
    ]);
    expect(prompts('{"payload":{"type":"inference","prompt":"a"}}\n\n"b"\n', "x.jsonl")).toEqual([
      [1, "a"],
      [3, "b"],
    ]);
    expect(prompts("prompt,max_tokens\na,5\nb,\n", "x.csv")).toEqual([
      [2, "a"],
      [3, "b"],
    ]);
    expect(parseBatch("prompt,max_tokens,priority\na,5,3", "x.csv")[0]?.job).toMatchObject({
      priority: 3,
      payload: { max_tokens: 5 },
    });
  });

  it("says on which line an entry is wrong", () => {
    expect(prompts('"a"\n{"prompt":1}\n{', "x.jsonl")).toEqual([
      [1, "a"],
      [2, expect.stringContaining("/payload/prompt")],
      [3, expect.any(String)],
    ]);
    expect(prompts("prompt,max_tokens\na,many\nb\n", "x.csv")).toEqual([
      [2, expect.stringContaining("/payload/max_tokens")],
      [3, "1 cells under 2 columns"],
    ]);
    expect(() => parseBatch("question\na", "x.csv")).toThrow("prompt");
  });
});
