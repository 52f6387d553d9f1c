import type { Meters } from "../../domain/job/meters.ts";
import type { Channel } from "../../kernel/channel.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { RandomBytes } from "../../kernel/ids.ts";
import type { Log } from "../../kernel/log.ts";
import type { Metrics } from "../../kernel/metrics.ts";
import type { LlamaRuntime } from "./engines/llama-runtime.ts";

/** The way to a coordinator: bound by `app` to one in this process, or to a WebSocket elsewhere. */
export interface CoordinatorLink {
  /** Where it leads, for people: "this process" or an address. Holds no secret. */
  readonly label: string;
  /**
   * Opens one connection. The signal gives up waiting.
   * @throws AppError UNREACHABLE, UNAUTHORIZED_KEY, …
   */
  open(signal: AbortSignal): Promise<Channel>;
  /**
   * Reads an artifact that a job of this miner names, as long as it holds the job's lease.
   * @throws AppError ARTIFACT_NOT_FOUND, UNREACHABLE, …; and the signal's reason
   */
  openArtifact(sha256: string, signal: AbortSignal): Promise<ReadableStream<Uint8Array>>;
}

/** What engines are made from. */
export interface EngineInputs {
  /**
   * Program and arguments of a child process that ends up in `runEngineChild`, with the llama runtime whose entry
   * module is named, or the program's own.
   */
  readonly command: (runtimeEntry?: string) => readonly string[];
  /** The program's own llama runtime; null where it has none. */
  readonly llamaRuntime: Omit<LlamaRuntime, "entry"> | null;
  /** Path of the built-in model; writes it to the cache first where it lies inside the executable. */
  readonly builtinModelPath: () => Promise<string>;
}

/** What the miner needs from its surroundings. */
export interface MinerDeps {
  readonly link: CoordinatorLink;
  readonly engines: EngineInputs;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly meters: Meters;
  /** Where the identity key lies; made at the first start. Its directory belongs to this miner alone. */
  readonly identityFile: string;
  /**
   * Takes a directory for this process alone, until disposed.
   * @throws AppError DATA_IN_USE
   */
  readonly lockDirectory: (directory: string) => Disposable;
}
