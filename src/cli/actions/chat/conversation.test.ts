import { mkdtempSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { AppError } from "../../../kernel/errors.ts";
import { ChatDocument, Conversation, parseSetting } from "./conversation.ts";
import { ChatStore, newName } from "./store.ts";
import { describeSpeed } from "./summary.ts";

const END = {
  state: "COMPLETED",
  error: null,
  finish_reason: "stop",
  delivered_bytes: 1,
  receipt_id: null,
  units: 9,
} as const;

describe("a conversation", () => {
  it("asks with all that was said, and never with a question that has no answer", () => {
    const talk = new Conversation();
    talk.system = "Be brief.";
    talk.model = "m:1b";
    talk.set("temperature", 0.5);
    talk.ask("lost");
    talk.ask("one").answer = "1";
    talk.ask("two");
    expect(talk.toPayload()).toEqual({
      type: "inference",
      model: "m:1b",
      temperature: 0.5,
      messages: [
        { role: "system", content: "Be brief." },
        { role: "user", content: "one" },
        { role: "assistant", content: "1" },
        { role: "user", content: "two" },
      ],
    });
  });

  it("asks the last question again, without its answer", () => {
    const talk = new Conversation();
    expect(talk.retry()).toBeUndefined();
    Object.assign(talk.ask("one"), { answer: "1", job_id: "j" });
    expect(talk.retry()).toEqual({ question: "one", answer: null, job_id: null });
    expect(talk.turns).toHaveLength(1);
  });

  it.each([
    ["temperature", 3, "INVALID_PAYLOAD"],
    ["wings", 1, "INVALID_ARGUMENT"],
    ["model", "x", "INVALID_ARGUMENT"],
  ])("refuses to set %s to %j, and keeps what was set", (name, value, code) => {
    const talk = new Conversation();
    talk.set("seed", 7);
    expect(() => talk.set(name, value)).toThrow(expect.objectContaining({ code }) as AppError);
    expect([...talk.settings]).toEqual([["seed", 7]]);
    talk.set("seed", undefined);
    expect(talk.settings.size).toBe(0);
  });

  it.each([
    ["temperature", "0.2", 0.2],
    ["stop", "END", ["END"]],
    ["stop", "7", ["7"]],
    ["stop", '["a","b"]', ["a", "b"]],
    ["think", "low", "low"],
    ["think", "true", true],
    ["format", "json", { type: "json" }],
  ])("reads %s %s as %j", (name, text, value) => {
    expect(parseSetting(name, text)).toEqual(value);
    new Conversation().set(name, parseSetting(name, text));
  });
});

describe("its files", () => {
  function openStore(): { store: ChatStore; folder: string } {
    const root = mkdtempSync(join(tmpdir(), "aitbc-chats-"));
    onTestFinished(() => rmSync(root, { recursive: true, force: true }));
    return { store: new ChatStore(join(root, "chats")), folder: join(root, "chats") };
  }

  it("come back as they were, are private, and the latest is found", async () => {
    const { store, folder } = openStore();
    expect([await store.latest(), await store.find("a")]).toEqual([undefined, undefined]);
    const talk = new Conversation();
    talk.set("stop", ["x"]);
    talk.ask("one").answer = "1";
    await store.save("a", talk.toDocument());
    await store.save("b", new Conversation().toDocument());
    utimesSync(join(folder, "b.json"), 1, 1);
    expect(await store.latest()).toBe("a");
    const found = ChatDocument.parse(await store.find("a"));
    expect(Conversation.from(found).toDocument()).toEqual(talk.toDocument());
    expect(statSync(join(folder, "a.json")).mode & 0o777).toBe(0o600);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(readdirSync(folder).toSorted()).toEqual(["a.json", "b.json"]);
  });

  it("that hold something else are left alone; names lead nowhere else", async () => {
    const { store, folder } = openStore();
    await store.save("a", new Conversation().toDocument());
    writeFileSync(join(folder, "a.json"), '{"v":2}');
    await expect(store.find("a")).rejects.toThrow("holds no conversation that can be read");
    for (const name of ["../a", ".a", "a/b", ""]) await expect(store.find(name)).rejects.toThrow(AppError);
    const now = Date.UTC(2026, 10, 21, 6, 7, 8);
    expect(newName(now)).toMatch(/^2026-11-21T060708-[0-9a-f]{4}$/);
    expect(await store.find(newName(now))).toBeUndefined();
  });
});

describe("the line below an answer", () => {
  it("tells the speed where there was time to measure it", () => {
    const usage = { prompt_tokens: 3, completion_tokens: 20 };
    const of = (end: Parameters<typeof describeSpeed>[0]["end"], ms: number) =>
      describeSpeed({ end, firstTextMs: 1000, endMs: 1000 + ms }).join(" · ");
    expect(of({ ...END, usage }, 2000)).toBe("20 tokens · 10.0 tok/s");
    expect(of({ ...END, usage }, 1)).toBe("20 tokens");
    expect(of({ ...END, usage: { ...usage, completion_tokens: 1 } }, 1)).toBe("1 token");
    expect(of({ ...END, usage: null }, 2000)).toBe("9 units");
  });
});
