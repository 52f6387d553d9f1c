import { describe, expect, it } from "vitest";
import type { Channel } from "../../kernel/channel.ts";
import { serveJobSocket } from "./job-socket.ts";
import { MAX_WATCHER_BUFFERED_BYTES } from "./limits.ts";

const JOB = "0199f3a2c4d17b0e8a52c1d07f3b6e94";

/** A connection whose other end takes nothing. */
class StalledChannel implements Channel {
  bufferedBytes = 0;
  readonly closed = Promise.withResolvers<string>();
  #onClose: ((reason: string) => void) | undefined;

  send(frame: string): void {
    this.bufferedBytes += frame.length;
  }

  onFrame(): void {}

  onClose(listener: (reason: string) => void): void {
    this.#onClose = listener;
  }

  close(code: number, reason: string): void {
    this.closed.resolve(`${code} ${reason}`);
    this.#onClose?.(reason);
  }
}

describe("a client's socket", () => {
  it("whose client takes nothing is closed when so many bytes wait, and the reading ends", async () => {
    const channel = new StalledChannel();
    const abort = new AbortController();
    async function* states() {
      for (let attempt = 0; ; attempt++) {
        yield { event: "state", data: { state: "RUNNING", attempt, miner_id: null } } as const;
        if (attempt % 1000 === 0) await new Promise(setImmediate);
      }
    }
    serveJobSocket(JOB, states(), abort, channel);
    expect(await channel.closed.promise).toBe("1013 too slow");
    expect(abort.signal.aborted).toBe(true);
    expect(channel.bufferedBytes).toBeLessThan(MAX_WATCHER_BUFFERED_BYTES + 1024);
  });
});
