import { z } from "zod";

/** Names by which this machine calls itself; a name that points here from elsewhere is not among them. */
const OWN_HOSTS = ["127.0.0.1", "localhost", "[::1]"];
/** Entries of a list of names: more is a mistake. */
const MAX_NAMES = 32;
/** Longest name of a host, in characters (RFC 1035 §2.3.4). */
const MAX_HOST = 255;
/** Longest path of a unix socket that every kernel takes, in characters. */
const MAX_SOCKET_PATH = 100;
const DAY_SECONDS = 86_400;

const KeyId = z.string().regex(/^[A-Za-z0-9_-]{43}$/, "must be a public key as receipts write it");

/** A coordinator that receipts are read from. */
const ReceiptCoordinator = z.strictObject({
  url: z.url({ protocol: /^https?$/, error: "must be an http:// or https:// URL" }),
  /** File of the API key whose jobs are read; absent: the client's own. */
  api_key_file: z.string().startsWith("/", "must be an absolute path").optional(),
  /** Keys that its attestations are to be signed with. */
  keys: z.array(KeyId).max(MAX_NAMES).default([]),
});

/** The wallet's section of the configuration. There is no host: the wallet listens to this machine alone. */
export const WalletConfig = z.strictObject({
  port: z
    .int()
    .min(0)
    .max(65_535)
    .default(8071)
    .meta({ description: "Port on 127.0.0.1; 0 takes any free one" }),
  socket: z
    .string()
    .min(1)
    .max(MAX_SOCKET_PATH)
    .nullable()
    .default(null)
    .meta({ description: "Unix socket to listen on, instead of the port", path: true }),
  max_connections: z
    .int()
    .min(1)
    .max(10_000)
    .default(256)
    .meta({ description: "Connections at once; more are closed at once" }),
  allowed_hosts: z
    .array(z.string().min(1).max(MAX_HOST))
    .max(MAX_NAMES)
    .default(OWN_HOSTS)
    .meta({ description: "Names by which callers may address it (header Host, without the port)" }),
  allowed_origins: z
    .array(z.string().min(1).max(MAX_HOST))
    .max(MAX_NAMES)
    .default([])
    .meta({ description: "Web pages that may call it (header Origin); none" }),
  unlock_idle_seconds: z
    .int()
    .min(1)
    .max(DAY_SECONDS)
    .default(300)
    .meta({ description: "An unlock session that is not used for so long ends" }),
  unlock_max_seconds: z
    .int()
    .min(1)
    .max(DAY_SECONDS)
    .default(3600)
    .meta({ description: "An unlock session ends after so long, used or not" }),
  receipt_poll_seconds: z
    .int()
    .min(1)
    .max(DAY_SECONDS)
    .default(30)
    .meta({ description: "How often coordinators are asked for new receipts" }),
  coordinators: z.array(ReceiptCoordinator).max(MAX_NAMES).default([]).meta({
    description:
      'Where receipts are read, besides the coordinator of this process: [{"url": "https://…", "api_key_file": "/…", "keys": ["…"]}]',
  }),
  receipt_miner_keys: z
    .array(KeyId)
    .max(1000)
    .default([])
    .meta({ description: "Miners' public keys that are trusted on receipts" }),
});
export type WalletConfig = z.infer<typeof WalletConfig>;
