import type { Token } from "node-llama-cpp";
import { describe, expect, it } from "vitest";
import { PromptReader } from "./prompt-reader.ts";

const { signal } = new AbortController();
const prompt = (length: number): Token[] => Array.from({ length }, (_, token) => token as Token);

/** A sequence on a machine of a given speed, in ms a token: how long a real one takes cannot be chosen. */
class PlannedSequence {
  nowMs = 0;
  known: Token[] = [];
  readonly goes: number[] = [];
  msPerToken = 1;
  onGo: () => void = () => {};

  get nextTokenIndex(): number {
    return this.known.length;
  }

  async adaptStateToTokens(tokens: Token[]): Promise<void> {
    const different = this.known.findIndex((token, index) => token !== tokens[index]);
    if (different !== -1) this.known.splice(different);
  }

  async evaluateWithoutGeneratingNewTokens(tokens: Token[]): Promise<void> {
    this.goes.push(tokens.length);
    this.known.push(...tokens);
    this.nowMs += tokens.length * this.msPerToken;
    this.onGo();
  }
}

const create = (): { sequence: PlannedSequence; reader: PromptReader } => {
  const sequence = new PlannedSequence();
  return { sequence, reader: new PromptReader(() => sequence.nowMs) };
};

describe("PromptReader", () => {
  it.each([
    [0.1, 512],
    [1, 64],
    [4, 16],
    [50, 8],
  ])("reads in goes of a tenth of a second or so, at %d ms a token", async (msPerToken, tokens) => {
    const { sequence, reader } = create();
    sequence.msPerToken = msPerToken;
    const read = await reader.read(sequence, prompt(5000), signal);
    expect(sequence.goes.at(-1)).toBe(tokens);
    expect(read?.rest.length).toBeGreaterThan(0);
    expect([...sequence.known, ...(read?.rest ?? [])]).toEqual(prompt(5000));
  });

  it("stops between two goes", async () => {
    const { sequence, reader } = create();
    const abort = new AbortController();
    sequence.onGo = () => abort.abort();
    expect(await reader.read(sequence, prompt(5000), abort.signal)).toBeUndefined();
    expect(sequence.goes).toHaveLength(1);
  });

  it("reads again only what the sequence does not know, and always the last token", async () => {
    const { sequence, reader } = create();
    sequence.known = prompt(100);
    expect(await reader.read(sequence, prompt(100), signal)).toEqual({
      rest: prompt(100).slice(99),
      cached: 99,
    });
    sequence.known = prompt(100);
    sequence.known[40] = 7 as Token;
    const read = await reader.read(sequence, prompt(60), signal);
    expect(read?.cached).toBe(40);
    expect([...sequence.known, ...(read?.rest ?? [])]).toEqual(prompt(60));
  });
});
