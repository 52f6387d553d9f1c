import { z } from "zod";
import { LOG_FORMATS, LOG_LEVELS } from "../kernel/log.ts";
import { CoordinatorConfig } from "../roles/coordinator/index.ts";
import { MinerConfig } from "../roles/miner/index.ts";
import { WalletConfig } from "../roles/wallet/index.ts";

/** The roles that this program can run. */
export const ROLE_NAMES = ["coordinator", "miner", "wallet"] as const;
export type RoleName = (typeof ROLE_NAMES)[number];

/** The roles of a daemon that names none. The wallet is not among them: whoever wants its listener asks for it. */
const DEFAULT_ROLES: readonly RoleName[] = ["coordinator", "miner"];

/** The kinds of API key that the first start writes into the data directory. */
const KEY_KINDS = ["admin", "client", "miner"] as const;

/** Marks a member whose value is never shown and never read from the config file. */
const SECRET = { secret: true };
/** Marks a member that is a path: `~/` and relative ones are resolved when it is loaded. */
const PATH = { path: true };

/** Connections that one process holds open at once, with room below the usual limit of 20,000 descriptors. */
const MAX_CONNECTIONS = 16_384;

/** Calls of one key a second, in the long run and at once: far above a busy batch, far below a flood. */
const RATE_PER_SECOND = 1_000;
const RATE_BURST = 2_000;

const HttpConfig = z.strictObject({
  host: z.string().min(1).default("127.0.0.1").meta({ description: "Address to listen on" }),
  port: z
    .int()
    .min(0)
    .max(65_535)
    .default(8000)
    .meta({ description: "Port to listen on; 0 takes any free one" }),
  max_connections: z
    .int()
    .min(1)
    .max(100_000)
    .default(MAX_CONNECTIONS)
    .meta({ description: "Connections at once; more are closed at once" }),
  rate_limit_per_second: z
    .int()
    .min(0)
    .max(1_000_000)
    .default(RATE_PER_SECOND)
    .meta({ description: "Calls a second of one key, or of one address without a key; 0 for no limit" }),
  rate_limit_burst: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(RATE_BURST)
    .meta({ description: "Calls of one key at once, above the rate" }),
});

const DatabaseConfig = z.strictObject({
  url: z.string().min(1).default("sqlite:").meta({
    description: "sqlite: is aitbc.db in the data directory; sqlite:/a/path.db names another file",
  }),
  writer_busy_ms: z.int().min(0).max(1000).default(100).meta({
    description:
      "Writing moves to a thread of its own, which costs some memory, when it takes so many milliseconds of a second",
  }),
});

const LogConfig = z.strictObject({
  level: z.enum(LOG_LEVELS).default("info").meta({ description: "Least important level that is written" }),
  format: z
    .enum(LOG_FORMATS)
    .default("auto")
    .meta({ description: "auto is JSON unless stderr is a terminal" }),
});

const ClientConfig = z.strictObject({
  url: z
    .url({ protocol: /^https?$/, error: "must be an http:// or https:// URL" })
    .meta({ description: "Daemon that the client commands talk to" }),
  timeout_seconds: z
    .number()
    .gt(0)
    .max(3600)
    .default(30)
    .meta({ description: "Longest wait for one answer; streams last as long as their job" }),
  api_key: z
    .string()
    .min(1)
    .optional()
    .meta({ description: "API key (AITBC_API_KEY); never in the file", ...SECRET }),
  api_key_file: z
    .string()
    .min(1)
    .optional()
    .meta({ description: "File that holds the API key", ...PATH }),
  role: z
    .enum(KEY_KINDS)
    .optional()
    .meta({ description: "Which of this machine's keys to use; absent: the one a command needs" }),
});

/** The whole configuration. Members without a default get one from the environment (`load.ts`). */
export const Config = z.strictObject({
  roles: z
    .array(z.enum(ROLE_NAMES))
    .min(1)
    .default([...DEFAULT_ROLES])
    .meta({ description: "Roles that `aitbc serve` runs" }),
  env: z
    .string()
    .min(1)
    .max(32)
    .default("production")
    .meta({ description: "Name of this deployment, shown by /v1/health" }),
  data_dir: z
    .string()
    .min(1)
    .meta({ description: "Database, keys and identities", ...PATH }),
  cache_dir: z
    .string()
    .min(1)
    .meta({ description: "Unpacked native code and models; can be deleted", ...PATH }),
  stop_seconds: z
    .int()
    .min(0)
    .max(3600)
    .default(30)
    .meta({ description: "How long all parts may take to stop; leave room for miner.drain_seconds" }),
  http: HttpConfig.prefault({}),
  database: DatabaseConfig.prefault({}),
  log: LogConfig.prefault({}),
  client: ClientConfig,
  coordinator: CoordinatorConfig.prefault({}),
  miner: MinerConfig.prefault({}),
  wallet: WalletConfig.prefault({}),
});
export type Config = z.infer<typeof Config>;
