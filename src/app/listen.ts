import { once } from "node:events";
import { existsSync, mkdirSync, rmSync } from "node:fs";
import type { Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { dirname } from "node:path";
import { AppError } from "../kernel/errors.ts";

/** Where a listener listens: at an address, or at a unix socket, which its owner alone can open. */
export type Place =
  | {
      readonly host: string;
      readonly port: number;
      /** The option that chooses another port. */
      readonly option: string;
    }
  | { readonly socket: string };

/** Mode bits that a new socket does not get: it is its owner's alone. */
const OWNER_ONLY = 0o177;
const PRIVATE_DIRECTORY = 0o700;

/** Listens, and returns the URL. @throws AppError INVALID_CONFIG when the place cannot be had */
export async function listenOn(server: Server, place: Place): Promise<string> {
  if ("socket" in place) return listenOnSocket(server, place.socket);
  const { host, port, option } = place;
  await open(server, () => server.listen(port, host)).catch((cause: NodeJS.ErrnoException) => {
    const why =
      cause.code === "EADDRINUSE" ? `is in use; choose another with ${option}` : `fails: ${cause.message}`;
    throw new AppError("INVALID_CONFIG", `cannot listen: ${host}:${port} ${why}`, { cause });
  });
  // A TCP listener's address is an object.
  const { address, family, port: taken } = server.address() as AddressInfo;
  return `http://${family === "IPv6" ? `[${address}]` : address}:${taken}`;
}

async function listenOnSocket(server: Server, path: string): Promise<string> {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: PRIVATE_DIRECTORY });
    if (existsSync(path)) await removeDeadSocket(path);
    await open(server, () => {
      // The socket is made before this returns, so nobody else's file gets the mask.
      const mask = process.umask(OWNER_ONLY);
      server.listen(path);
      process.umask(mask);
    });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new AppError("INVALID_CONFIG", `cannot listen: ${path}: ${why}`, { cause });
  }
  return `unix:${path}`;
}

async function open(server: Server, listen: () => void): Promise<void> {
  const listening = once(server, "listening");
  listen();
  await listening;
}

/** A socket that a killed process left behind is in the way of the next; one that answers is somebody's. */
async function removeDeadSocket(path: string): Promise<void> {
  const probe = connect(path);
  try {
    await once(probe, "connect");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ECONNREFUSED") throw error;
    rmSync(path);
    return;
  } finally {
    probe.destroy();
  }
  throw new Error("another process listens there");
}
