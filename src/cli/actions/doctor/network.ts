import { once } from "node:events";
import { createServer } from "node:net";
import { readBuildInfo } from "../../../app/build-info.ts";
import { createClient, type Health } from "../../../client/client.ts";
import { toAppError } from "../../../kernel/errors.ts";
import { type Check, type Finding, fail, info, ok, warn } from "./check.ts";

/** How long a daemon on the network may take to say how it is, in ms. */
const HEALTH_MS = 2_000;

/** Asks a daemon how it is; undefined when none answers there. */
async function findHealth(url: string, signal: AbortSignal): Promise<Health | undefined> {
  try {
    return await createClient({ url, timeoutMs: HEALTH_MS }).health({ signal });
  } catch {
    return undefined;
  }
}

/** Whether the port of `aitbc serve` is free, or held by a daemon. */
export function checkPort(host: string, port: number): Check {
  return {
    name: "port",
    async run(signal) {
      if (port === 0) return info("any free one (http.port is 0)");
      const code = await tryToListen(host, port);
      if (code === undefined) return ok(`${host}:${port} is free`);
      if (code === "EADDRINUSE") return describeHolder(host, port, signal);
      const found = `cannot listen on ${host}:${port} (${code})`;
      const mend =
        code === "EACCES"
          ? "ports below 1024 need a privilege; choose another with http.port, or put a proxy in front"
          : "set http.host to an address of this machine, or to 0.0.0.0 for all of them";
      return fail("INVALID_CONFIG", found, mend);
    },
  };
}

async function tryToListen(host: string, port: number): Promise<string | undefined> {
  const server = createServer();
  try {
    server.listen({ host, port, exclusive: true });
    await once(server, "listening");
    server.close();
    await once(server, "close");
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? toAppError(error).message;
  }
}

async function describeHolder(host: string, port: number, signal: AbortSignal): Promise<Finding> {
  const address = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
  const url = `http://${address.includes(":") ? `[${address}]` : address}:${port}`;
  const health = await findHealth(url, signal);
  if (health) return ok(`${host}:${port} is held by aitbc ${health.version} (${health.roles.join(", ")})`);
  return fail(
    "INVALID_CONFIG",
    `${host}:${port} is held by another program`,
    `stop it (ss -ltnp 'sport = :${port}' names it), or choose another port with http.port`,
  );
}

/** Whether the daemon that commands talk to answers, and is of this version. */
export function checkDaemon(url: string): Check {
  return {
    name: "daemon",
    async run(signal) {
      const health = await findHealth(url, signal);
      if (!health) return info(`no daemon answers at ${url}; start one with: aitbc serve`);
      const { version } = readBuildInfo();
      const found = `aitbc ${health.version} at ${url} (${health.roles.join(", ")})`;
      if (health.version === version) return ok(found);
      return warn(`${found}, while this is aitbc ${version}`, "restart the daemon with this version");
    },
  };
}
