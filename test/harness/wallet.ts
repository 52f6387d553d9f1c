import { readFileSync } from "node:fs";
import { request } from "node:http";
import { onTestFinished } from "vitest";
import { createWalletClient, type WalletClient } from "../../src/client/wallet.ts";
import { dataPaths } from "../../src/config/data-paths.ts";
import { type DaemonSetup, TestDaemon } from "./daemon.ts";
import { CHEAP_SIGNER } from "./signer.ts";

/** A password that is strong enough, and another one. */
export const PASSWORD = "Correct-Horse-7";
export const WRONG_PASSWORD = "Wrong-Battery-8";

const TIMEOUT_MS = 20_000;
const UNIX = "unix:";

/** An answer as it came over the wire. */
export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  /** The text as JSON; an empty object where it is none. */
  readonly body: Record<string, unknown>;
}

interface RawCall {
  /** Sent as it is when it is a text or bytes, else as JSON. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Header names that are left out of the usual ones. */
  readonly without?: readonly string[];
}

/** Calls a listener as any program might: every header can be another one, or missing. */
export class RawCaller {
  readonly #url: string;
  readonly #token: string;

  constructor(url: string, token: string) {
    this.#url = url;
    this.#token = token;
  }

  call(method: string, path: string, { body, headers = {}, without = [] }: RawCall = {}): Promise<RawAnswer> {
    const raw = typeof body === "string" || body instanceof Uint8Array;
    const bytes = body === undefined ? undefined : Buffer.from(raw ? body : JSON.stringify(body));
    const isReading = method === "GET" || method === "HEAD";
    const usual: Record<string, string> = {
      authorization: `Bearer ${this.#token}`,
      ...(!isReading && { "content-type": "application/json" }),
      ...(bytes && { "content-length": String(bytes.length) }),
      ...headers,
    };
    for (const name of without) delete usual[name];
    return new Promise((resolve, reject) => {
      const call = request({ ...this.#target(), method, path, headers: usual, agent: false }, (answer) => {
        const parts: Buffer[] = [];
        answer.on("data", (part: Buffer) => parts.push(part));
        answer.on("error", reject);
        answer.on("end", () => {
          const text = Buffer.concat(parts).toString();
          resolve({
            status: answer.statusCode ?? 0,
            headers: answer.headers,
            text,
            body: text.startsWith("{") ? (JSON.parse(text) as Record<string, unknown>) : {},
          });
        });
      });
      call.on("error", reject);
      call.end(bytes);
    });
  }

  get(path: string): Promise<RawAnswer> {
    return this.call("GET", path);
  }

  post(path: string, body: unknown = {}): Promise<RawAnswer> {
    return this.call("POST", path, { body });
  }

  #target(): { socketPath: string } | { host: string; port: string } {
    if (this.#url.startsWith(UNIX)) return { socketPath: this.#url.slice(UNIX.length) };
    const { hostname, port } = new URL(this.#url);
    return { host: hostname, port };
  }
}

/** A daemon with a wallet, and callers of its listener. */
export interface TestWallet {
  readonly daemon: TestDaemon;
  readonly url: string;
  readonly token: string;
  readonly raw: RawCaller;
  readonly client: WalletClient;
}

/** The wallet of a daemon that runs. */
export function walletOf(daemon: TestDaemon): TestWallet {
  const url = daemon.daemon.walletUrl ?? "";
  const token = readFileSync(dataPaths(daemon.dataDir).walletToken, "utf8").trim();
  const client = createWalletClient({ url, token, timeoutMs: TIMEOUT_MS });
  return { daemon, url, token, raw: new RawCaller(url, token), client };
}

/** Starts a daemon with a wallet alone, whose passwords cost nothing to hash; the caller disposes of it. */
export function startWallet(setup: DaemonSetup = {}): Promise<TestWallet> {
  return startProductWallet({ signer: CHEAP_SIGNER, ...setup });
}

/** The same with the product's own processes and hash. */
export async function startProductWallet(setup: DaemonSetup = {}): Promise<TestWallet> {
  const settings = { roles: "wallet", "wallet.port": "0", ...setup.settings };
  return walletOf(await TestDaemon.start({ ...setup, settings }));
}

/** Starts a daemon with a wallet that ends with the test. */
export async function bootWallet(setup: DaemonSetup = {}): Promise<TestWallet> {
  const wallet = await startWallet(setup);
  onTestFinished(() => wallet.daemon[Symbol.asyncDispose]());
  return wallet;
}
