import type { TestDaemon } from "./daemon.ts";

/** An answer as plain HTTP brings it. The tests say by hand what must be in it. */
export interface Plain {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

/** Calls of a program that knows nothing of this one's schemas: fetch, JSON, and a key. */
export class PlainCaller {
  readonly #url: string;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(url: string, key: string, headers: Readonly<Record<string, string>> = {}) {
    this.#url = url;
    this.#headers = { "X-Api-Key": key, ...headers };
  }

  /** A miner of this name, with the daemon's own key. */
  static miner(daemon: TestDaemon, name?: string, key = daemon.keys.miner): PlainCaller {
    return new PlainCaller(daemon.url, key, name === undefined ? {} : { "X-Miner-ID": name });
  }

  async call(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<Plain> {
    const response = await fetch(this.#url + path, {
      method,
      headers: { ...this.#headers, ...(body !== undefined && { "Content-Type": "application/json" }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      ...(signal && { signal }),
    });
    const text = await response.text();
    return { status: response.status, body: text === "" ? {} : (JSON.parse(text) as Plain["body"]) };
  }

  get(path: string): Promise<Plain> {
    return this.call("GET", path);
  }

  post(path: string, body?: unknown): Promise<Plain> {
    return this.call("POST", path, body);
  }
}
