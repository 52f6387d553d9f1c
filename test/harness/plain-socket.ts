import { onTestFinished } from "vitest";
import { WebSocket } from "ws";

type Frame = Record<string, unknown>;

/** A WebSocket of a program that knows nothing of this one's schemas. */
export class PlainSocket {
  readonly #socket: WebSocket;
  readonly #frames: Frame[] = [];
  #closed: string | undefined;
  #arrived = Promise.withResolvers<void>();

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on("message", (data) => {
      this.#frames.push(JSON.parse(String(data)) as Frame);
      this.#wake();
    });
    socket.on("close", (code, reason) => {
      this.#closed = `${code} ${reason}`;
      this.#wake();
    });
    onTestFinished(() => socket.terminate());
  }

  /** Opens a socket; where the server answers otherwise, rejects with the status as the message. */
  static open(url: string, headers: Readonly<Record<string, string>>): Promise<PlainSocket> {
    const socket = new WebSocket(url.replace(/^http/, "ws"), { headers });
    const opened = new PlainSocket(socket);
    return new Promise((resolve, reject) => {
      socket.once("open", () => resolve(opened));
      socket.once("unexpected-response", (_request, response) => {
        reject(new Error(String(response.statusCode)));
        socket.terminate();
      });
      socket.on("error", reject);
    });
  }

  send(frame: unknown): void {
    this.#socket.send(typeof frame === "string" ? frame : JSON.stringify(frame));
  }

  close(): void {
    this.#socket.close();
  }

  /** The next frame. */
  async next(): Promise<Frame> {
    for (;;) {
      const frame = this.#frames.shift();
      if (frame) return frame;
      if (this.#closed !== undefined) throw new Error(`closed: ${this.#closed}`);
      await this.#arrived.promise;
    }
  }

  /** Frames up to the end, and why it closed. */
  async ended(): Promise<{ readonly frames: readonly Frame[]; readonly reason: string }> {
    while (this.#closed === undefined) await this.#arrived.promise;
    return { frames: this.#frames, reason: this.#closed };
  }

  #wake(): void {
    this.#arrived.resolve();
    this.#arrived = Promise.withResolvers<void>();
  }
}
