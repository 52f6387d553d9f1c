import { describe, expect, it } from "vitest";
import { MAX_LOOKED_UP, prefixKeys } from "./prefix.ts";

const system = { role: "system", content: "be kind" };
const user = (content: string) => ({ role: "user", content });
const assistant = (content: string) => ({ role: "assistant", content });

describe("keys of a conversation", () => {
  it("of a later turn hold that of the earlier one", () => {
    const [first] = prefixKeys("c", { messages: [system, user("a")] });
    const later = prefixKeys("c", { messages: [system, user("a"), assistant("b"), user("c")] });
    expect(later).toHaveLength(3);
    expect(later.indexOf(first ?? "")).toBe(2);
  });

  it("are different for other words, other clients, and other ends of the same words", () => {
    const [one] = prefixKeys("c", { messages: [user("a"), assistant("b")] });
    expect(prefixKeys("c", { messages: [user("a"), assistant("c")] })).not.toContain(one);
    expect(prefixKeys("d", { messages: [user("a"), assistant("b")] })).not.toContain(one);
    expect(prefixKeys("c", { messages: [user("a"), user("b")] })).not.toContain(one);
  });

  it("are none where nobody has asked anything, as with a system message that many share", () => {
    expect(prefixKeys("c", { messages: [system] })).toEqual([]);
    expect(prefixKeys("c", {})).toEqual([]);
  });

  it("are bounded", () => {
    const messages = Array.from({ length: 100 }, (_, index) => user(String(index)));
    expect(prefixKeys("c", { messages })).toHaveLength(MAX_LOOKED_UP);
  });
});
