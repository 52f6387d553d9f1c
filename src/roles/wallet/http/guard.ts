import { AppError } from "../../../kernel/errors.ts";
import type { ListenerToken } from "./token.ts";

/** Why a request was turned away before it was looked at. */
export type Refusal = "host" | "origin" | "token" | "content_type";

/** The part of a request that decides whether it is looked at. */
export interface Knock {
  readonly method: string;
  header(name: string): string | undefined;
}

export interface DoorRules {
  /** Names without a port, as `Host` has them. */
  readonly allowedHosts: readonly string[];
  readonly allowedOrigins: readonly string[];
}

/** `uri-host [":" port]` (RFC 9110 §7.2), as names and addresses of this machine are written. */
const HOST = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{1,5})?$/i;
const BEARER = /^Bearer +([\x21-\x7e]+)$/i;
const JSON_TYPE = /^application\/json\s*(?:;|$)/i;
/** Methods that change nothing, and carry no body. */
const READING: ReadonlySet<string> = new Set(["GET", "HEAD"]);

/**
 * Who may talk to the wallet. That it listens to this machine alone does not keep web pages away, which this
 * machine's browser fetches: a page can post forms anywhere, and can let its own name point here (DNS rebinding).
 * So a request counts only under a name of this machine (the port may be a tunnel's), from no web page that is not
 * named, with the token, and with the content type that no form can send.
 */
export class Door {
  readonly #hosts: ReadonlySet<string>;
  readonly #origins: ReadonlySet<string>;
  readonly #onRefused: (reason: Refusal) => void;
  #token: ListenerToken | undefined;

  constructor(rules: DoorRules, onRefused: (reason: Refusal) => void) {
    this.#hosts = new Set(rules.allowedHosts.map((host) => host.toLowerCase()));
    this.#origins = new Set(rules.allowedOrigins.map((origin) => origin.toLowerCase()));
    this.#onRefused = onRefused;
  }

  /** From now on whoever shows the token is let in; before, nobody. */
  open(token: ListenerToken): void {
    this.#token = token;
  }

  /** @throws AppError FORBIDDEN_ORIGIN, UNAUTHORIZED_KEY, UNSUPPORTED_MEDIA_TYPE */
  readonly admit = (request: Knock): void => {
    const host = HOST.exec(request.header("host") ?? "")?.[1]?.toLowerCase();
    if (host === undefined || !this.#hosts.has(host)) {
      throw this.#refuse("host", "this listener is not called by that name; see wallet.allowed_hosts");
    }
    const origin = request.header("origin");
    if (origin !== undefined && !this.#origins.has(origin.toLowerCase())) {
      throw this.#refuse("origin", "web pages from there may not call; see wallet.allowed_origins");
    }
    const given = BEARER.exec(request.header("authorization") ?? "")?.[1];
    if (given === undefined || this.#token?.matches(given) !== true) {
      throw this.#refuse("token", "invalid token; send the one of the wallet's token file as Bearer");
    }
    if (!READING.has(request.method) && !JSON_TYPE.test(request.header("content-type") ?? "")) {
      throw this.#refuse("content_type", "send the request with Content-Type: application/json");
    }
  };

  #refuse(reason: Refusal, detail: string): AppError {
    this.#onRefused(reason);
    return new AppError(CODES[reason], detail);
  }
}

const CODES = {
  host: "FORBIDDEN_ORIGIN",
  origin: "FORBIDDEN_ORIGIN",
  token: "UNAUTHORIZED_KEY",
  content_type: "UNSUPPORTED_MEDIA_TYPE",
} as const;
