import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MinerBench } from "../../../test/harness/miner-bench.ts";
import type { PlannedEngine } from "../../../test/harness/planned-engine.ts";
import type { ScriptedCoordinator } from "../../../test/harness/scripted-coordinator.ts";
import { sha256Hex } from "../../crypto/hash.ts";
import type { InferencePayload } from "../../wire/jobs.ts";
import { fetchImages } from "./images.ts";

const PICTURE = Buffer.from("not really a picture");
const SHA256 = sha256Hex(PICTURE);
const signal = new AbortController().signal;

/** A question about images. */
const about = (...digests: readonly string[]): InferencePayload => ({
  type: "inference",
  messages: [
    {
      role: "user",
      content: [
        { type: "text", text: "What is this?" },
        ...digests.map((sha256) => ({ type: "image", sha256, media_type: "image/png" }) as const),
      ],
    },
  ],
});

/** A link that serves one stream, and says what it was asked for. */
function linkOf(parts: readonly Uint8Array[]) {
  const asked: string[] = [];
  return {
    asked,
    openArtifact: async (sha256: string) => {
      asked.push(sha256);
      return ReadableStream.from<Uint8Array>(parts);
    },
  };
}

describe("images", () => {
  it("are fetched once each, and handed on as base64", async () => {
    const link = linkOf([PICTURE.subarray(0, 3), PICTURE.subarray(3)]);
    const images = await fetchImages(link, about(SHA256, SHA256), signal);
    expect(link.asked).toEqual([SHA256]);
    expect(images).toEqual(
      new Map([[SHA256, { media_type: "image/png", data: PICTURE.toString("base64") }]]),
    );
    expect(await fetchImages(link, { type: "inference", prompt: "none" }, signal)).toEqual(new Map());
    expect(link.asked).toHaveLength(1);
  });

  it("that are something else than was asked for are refused", async () => {
    await expect(fetchImages(linkOf([Buffer.from("other")]), about(SHA256), signal)).rejects.toMatchObject({
      code: "PROTOCOL_VIOLATION",
    });
  });

  it("are bounded in number and in size, while they come", async () => {
    const many = Array.from({ length: 65 }, (_, at) => sha256Hex(String(at)));
    const link = linkOf([PICTURE]);
    await expect(fetchImages(link, about(...many), signal)).rejects.toMatchObject({
      code: "PAYLOAD_TOO_LARGE",
    });
    expect(link.asked).toEqual([]);
    const endless = linkOf(Array.from({ length: 22 }, () => new Uint8Array(1024 * 1024)));
    await expect(fetchImages(endless, about(SHA256), signal)).rejects.toMatchObject({
      code: "PAYLOAD_TOO_LARGE",
    });
  });
});

describe("a job with images", () => {
  let bench: MinerBench;
  let coordinator: ScriptedCoordinator;
  let engine: PlannedEngine;
  beforeEach(async () => {
    bench = await MinerBench.create();
    ({ coordinator, engine } = bench);
  });
  afterEach(() => bench.dispose());

  const offer = () => coordinator.offer({ payload: { ...about(SHA256), prompt: undefined } });

  it("brings them to the engine", async () => {
    coordinator.artifacts.set(SHA256, PICTURE);
    await bench.open();
    offer();
    expect((await engine.nth(0)).request.messages).toEqual([
      {
        role: "user",
        content: "What is this?",
        images: [{ media_type: "image/png", data: PICTURE.toString("base64") }],
      },
    ]);
  });

  it("fails for good when they are gone, and the engine is not asked", async () => {
    await bench.open();
    offer();
    expect(await coordinator.next("fail")).toMatchObject({ code: "ARTIFACT_NOT_FOUND", retryable: false });
    expect(engine.runs).toEqual([]);
  });
});
