import type { Channel } from "../../kernel/channel.ts";

/** The way to a coordinator: bound by `app` to one in this process, or to a WebSocket elsewhere. */
export interface CoordinatorLink {
  /** Where it leads, for people: "this process" or an address. Holds no secret. */
  readonly label: string;
  /**
   * Opens one connection. The signal gives up waiting.
   * @throws AppError UNREACHABLE, UNAUTHORIZED_KEY, …
   */
  open(signal: AbortSignal): Promise<Channel>;
}
