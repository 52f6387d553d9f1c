import { request } from "node:http";
import { Readable } from "node:stream";
import type { Fetch } from "./transport.ts";

/** Headers of an answer that say how it was carried, not what it is. */
const BODILESS: ReadonlySet<number> = new Set([204, 304]);

/** `fetch` over a unix socket, for calls with a text as their body; the host of the URL is not looked up. */
export function fetchOverSocket(path: string): Fetch {
  return (input, init) => {
    const { pathname, search, host } = new URL(input);
    const headers = { host, ...Object.fromEntries(new Headers(init.headers)) };
    return new Promise((resolve, reject) => {
      const call = request(
        {
          socketPath: path,
          path: pathname + search,
          method: init.method ?? "GET",
          headers,
          ...(init.signal && { signal: init.signal }),
        },
        (answer) => {
          const status = answer.statusCode ?? 0;
          // A web stream of Node's is one of the platform's; their types differ.
          const body = BODILESS.has(status) ? null : (Readable.toWeb(answer) as ReadableStream<Uint8Array>);
          const received = new Headers();
          for (const [name, value] of Object.entries(answer.headers)) {
            for (const one of [value ?? []].flat()) received.append(name, one);
          }
          resolve(new Response(body, { status, headers: received }));
        },
      );
      call.on("error", reject);
      call.end(typeof init.body === "string" ? init.body : undefined);
    });
  };
}
