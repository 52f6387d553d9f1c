import type { KeyKind } from "../../src/wire/access.ts";
import { PlainSocket } from "./plain-socket.ts";
import type { Finished, Sandbox, Served } from "./process.ts";

/** A route as the OpenAPI document names it: `test/process/coverage.test.ts` compares these names with it. */
export type RouteName = `${"GET" | "POST" | "PUT" | "DELETE"} /${string}`;
/** A command as its help names it, for the same comparison. */
export type CommandName = `aitbc ${string}`;

/** What stands in front of a route's path: existing clients use all three. */
export const PREFIXES = ["/v1", "/api/v1", ""] as const;

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** The body, where it is JSON. */
  readonly body: Record<string, unknown>;
  readonly text: string;
}

interface CallOptions {
  /** Whose key goes along: a kind's of this machine, a key, or nobody's. Default: client. */
  readonly as?: KeyKind | "nobody" | { readonly key: string };
  /** Values of the members of the path. */
  readonly path?: Readonly<Record<string, string>>;
  readonly query?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON; bytes are sent as they are. */
  readonly body?: unknown;
  readonly prefix?: (typeof PREFIXES)[number];
}

/** The routes of a daemon in a process of its own, called with plain fetch. */
export class Api {
  readonly #served: Served;
  readonly #sandbox: Sandbox;

  constructor(served: Served, sandbox: Sandbox) {
    this.#served = served;
    this.#sandbox = sandbox;
  }

  async call(route: RouteName, options: CallOptions = {}): Promise<Answer> {
    const { body, headers } = options;
    const raw = body instanceof Uint8Array;
    const response = await fetch(this.#url(route, options), {
      method: route.slice(0, route.indexOf(" ")),
      headers: {
        ...this.#keyOf(options),
        ...(body !== undefined && !raw && { "Content-Type": "application/json" }),
        ...headers,
      },
      ...(body !== undefined && { body: raw ? Buffer.from(body) : JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = /[/+]json/.test(response.headers.get("content-type") ?? "");
    const json = isJson && text !== "" ? (JSON.parse(text) as Answer["body"]) : {};
    return { status: response.status, headers: response.headers, body: json, text };
  }

  /** Opens a route's WebSocket; it closes with the test. */
  socket(route: RouteName, options: CallOptions = {}): Promise<PlainSocket> {
    return PlainSocket.open(this.#url(route, options), { ...this.#keyOf(options), ...options.headers });
  }

  #url(route: RouteName, { path = {}, query = "", prefix = "/v1" }: CallOptions): string {
    const pattern = route.slice(route.indexOf(" ") + 1).replace(/^\/v1(?=\/)/, prefix);
    const filled = pattern.replaceAll(/\{(\w+)\}/g, (_whole, name: string) => path[name] ?? "missing");
    return `${this.#served.url}${filled}${query}`;
  }

  #keyOf({ as = "client" }: CallOptions): Record<string, string> {
    if (as === "nobody") return {};
    return { "X-Api-Key": typeof as === "string" ? this.#sandbox.key(as) : as.key };
  }
}

/** Runs commands in another terminal of the machine that a daemon serves on. */
export function terminalOf(
  sandbox: Sandbox,
  served: Served,
): (command: CommandName, ...args: readonly string[]) => Promise<Finished> {
  return (command, ...args) =>
    sandbox.run([...command.split(" ").slice(1), ...args], { env: { AITBC_URL: served.url } });
}
