import { describe, expect, it } from "vitest";
import { type MatchCapabilities, type MatchRequirements, matchMiner } from "./matching.ts";

const miner: MatchCapabilities = {
  region: "eu-west",
  gpus: [
    { name: "RTX 3060", memory_mb: 12_288 },
    { name: "RTX 4090", memory_mb: 24_564 },
  ],
  cuda: "12.4.1",
  models: [
    { name: "llama3", features: ["text", "tools"], context_tokens: 8192 },
    { name: "qwen", features: ["text", "logprobs"], context_tokens: 4096 },
  ],
  price_uait: 500,
};

describe("matchMiner", () => {
  it.each<MatchRequirements>([
    {},
    { model: null, region: null },
    {
      model: "llama3",
      region: "eu-west",
      gpu: "RTX 4090",
      cuda: "12.4",
      min_vram_gb: 23.5,
      models: ["qwen"],
    },
    { max_price_uait: 500 },
    { min_vram_gb: 0 },
    { model: "llama3", features: ["text", "tools"], context_tokens: 8192 },
    { features: ["logprobs"], context_tokens: 4096 },
  ])("accepts %j", (job) => {
    expect(matchMiner(job, miner)).toEqual({ matches: true });
  });

  it.each<[MatchRequirements, string]>([
    [{ model: "gpt" }, "no model gpt"],
    [{ models: ["llama3", "gpt"] }, "no model gpt"],
    [{ model: "qwen", features: ["text", "tools"] }, "model qwen without tools"],
    [{ features: ["embedding"] }, "no model with embedding"],
    [{ features: ["tools", "logprobs"] }, "no model with tools and logprobs"],
    [{ model: "qwen", context_tokens: 8192 }, "model qwen without a context of 8192 tokens"],
    [{ features: ["logprobs"], context_tokens: 8192 }, "no model with logprobs and 8192 tokens"],
    [{ region: "us" }, "not in region us"],
    [{ gpu: "rtx 4090" }, "no GPU rtx 4090"],
    [{ min_vram_gb: 24 }, "no GPU with 24 GB of memory"],
    [{ cuda: "11" }, "no CUDA 11"],
    [{ max_price_uait: 499 }, "asks more than the job's highest price"],
  ])("refuses %j", (job, reason) => {
    expect(matchMiner(job, miner)).toEqual({ matches: false, reason });
  });

  it("accepts a plain machine for a job that asks nothing, if it has any model", () => {
    const plain = {
      region: null,
      gpus: [],
      cuda: null,
      models: [{ name: "tiny", features: ["text"], context_tokens: 512 }],
      price_uait: null,
    };
    expect(matchMiner({ min_vram_gb: 0, max_price_uait: 0 }, plain)).toEqual({ matches: true });
    expect(matchMiner({ cuda: "12" }, plain)).toEqual({ matches: false, reason: "no CUDA 12" });
    expect(matchMiner({}, { ...plain, models: [] })).toEqual({ matches: false, reason: "no model at all" });
  });
});
