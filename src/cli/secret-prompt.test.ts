import { EventEmitter } from "node:events";
import { describe, expect, it } from "vitest";
import { readTypedSecret } from "./secret-prompt.ts";

/** A terminal on which these pieces are typed. */
function terminal() {
  const input = new EventEmitter();
  const modes: boolean[] = [];
  return {
    modes,
    type: (...pieces: readonly string[]) => {
      for (const piece of pieces) input.emit("data", Buffer.from(piece));
    },
    on: (event: "data", listener: (chunk: Buffer) => void) => input.on(event, listener),
    off: (event: "data", listener: (chunk: Buffer) => void) => input.off(event, listener),
    setRawMode: (raw: boolean) => modes.push(raw),
    resume() {},
    pause() {},
  };
}

async function read(...pieces: readonly string[]): Promise<string> {
  const typed = terminal();
  const secret = readTypedSecret(typed);
  typed.type(...pieces);
  return new TextDecoder().decode((await secret).bytes);
}

describe("a secret that is typed", () => {
  it("ends with the line, and the terminal is as it was", async () => {
    const typed = terminal();
    const secret = readTypedSecret(typed);
    typed.type("swordfish", "\r");
    expect(new TextDecoder().decode((await secret).bytes)).toBe("swordfish");
    expect(typed.modes).toEqual([true, false]);
  });

  it("can be corrected: a whole character at a time, or from the start", async () => {
    expect(await read("abé", "\u007f\u007fc", "\n")).toBe("ac");
    expect(await read("\u007f\u007fa\n")).toBe("a");
    expect(await read("wrong\u0015right\n")).toBe("right");
    expect(await read("abc\u0004")).toBe("abc");
  });

  it("is given up with Ctrl-C, and with Ctrl-D before anything was typed", async () => {
    await expect(read("abc\u0003")).rejects.toMatchObject({ code: "INTERRUPTED" });
    await expect(read("\u0004")).rejects.toMatchObject({ code: "INTERRUPTED" });
  });

  it("has at most 2,048 bytes", async () => {
    expect(await read("x".repeat(5000), "\n")).toHaveLength(2048);
  });
});
