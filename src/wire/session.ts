/**
 * The frames of a miner's session (WebSocket `/v1/miners/session`, one JSON object a frame). The same frames
 * travel in memory when miner and coordinator share a process. protocols/README.md tells the story.
 */
import { z } from "zod";
import { DELTA_FINISH_REASONS } from "../domain/job/deltas.ts";
import type { RawFrame } from "../kernel/channel.ts";
import { AppError } from "../kernel/errors.ts";
import { compiledInUse } from "../kernel/http/compiled-schema.ts";
import { parseJson } from "../kernel/json.ts";
import { route } from "./access.ts";
import { JobPayload, ReceiptJson } from "./jobs.ts";
import {
  MAX_CHUNK_BYTES,
  MAX_FEATURES,
  MAX_FRAME_BYTES,
  MAX_GPUS,
  MAX_MODELS,
  MAX_NAME,
  MAX_OUTPUT_BYTES,
  MAX_SLOTS,
} from "./limits.ts";
import { Address, Base64Url, DisplayName, JobId, LegacyAit, ModelName, Sha256Hex } from "./scalars.ts";

/** Version of the frames; a server that does not speak it closes with PROTOCOL_VIOLATION. */
const SESSION_VERSION = 1;

/**
 * What sessions of this version may do beside what all of them do. A coordinator names what it knows in `challenge`, a
 * miner of that what it knows in `register`; of either nothing where it is older.
 */
export const SESSION_FEATURES = [
  /** One `acks` frame confirms text of several jobs. */
  "acks",
] as const;

const Token = z.int().min(1);
const ByteCount = z.int().min(0).max(MAX_OUTPUT_BYTES);
/** What every frame about one job's lease carries. */
const LEASE = { job_id: JobId, token: Token };

export const MinerModel = z.strictObject({
  name: ModelName,
  digest: z.string().max(128),
  context_tokens: z.int().min(1),
  engine: DisplayName,
  /** Measured; null before the first measurement. */
  tokens_per_second: z.int().min(0).nullable(),
  /** Measured: how long it takes to load, in ms; absent before it was seen to. */
  load_ms: z.int().min(0).nullable().exactOptional(),
  /** Whether it is in memory now; absent where the engine cannot tell. */
  loaded: z.boolean().exactOptional(),
  /** False where it cannot go on with the text of another miner. */
  continues: z.boolean().exactOptional(),
  /** What it can do; see FEATURES. A newer miner may name what this coordinator does not know. */
  features: z.array(z.string().max(MAX_NAME)).max(MAX_FEATURES),
});
export type MinerModel = z.infer<typeof MinerModel>;

export const MinerCapabilities = z.strictObject({
  gpus: z.array(z.strictObject({ name: DisplayName, memory_mb: z.int().min(0) })).max(MAX_GPUS),
  cuda: z.string().max(16).nullable(),
  cpu: z.strictObject({ name: z.string().max(128), cores: z.int().min(1) }),
  memory_mb: z.int().min(0),
  /** Free space for the files of jobs; absent where nobody can tell. */
  disk_mb: z.int().min(0).exactOptional(),
  models: z.array(MinerModel).max(MAX_MODELS),
  /** Asking price, in AIT; null takes the coordinator's. */
  price: LegacyAit.nullable(),
});
export type MinerCapabilities = z.infer<typeof MinerCapabilities>;

/** The terms of an offer; `domain/job/terms.ts` hashes them. Strict, since both sides sign over the hash. */
export const OfferTerms = z.strictObject({
  v: z.literal(1),
  ...LEASE,
  client: z.string(),
  coordinator_id: Address,
  kind: z.string(),
  model: ModelName,
  request_sha256: Sha256Hex,
  unit_type: z.literal("token_ops"),
  meter: z.string(),
  prompt_units: z.int().min(0),
  settled_units: z.int().min(0),
  start_byte: ByteCount,
  prefix_sha256: Sha256Hex,
  price_uait_per_million_units: z.int().min(0),
  max_output_bytes: z.int().min(1).max(MAX_OUTPUT_BYTES),
  started_at: z.int().min(0),
  deadline_seconds: z.int().min(1),
  progress_units: z.int().min(1),
  progress_ms: z.int().min(1),
  settlement: z.literal("voucher"),
  nonce: z.string(),
});
export type OfferTerms = z.infer<typeof OfferTerms>;

/** A miner's signed statement of how far it got. */
const ProgressStatement = z.strictObject({
  v: z.literal(1),
  ...LEASE,
  seq: z.int().min(1),
  bytes: ByteCount,
  running_sha256: Sha256Hex,
  units: z.int().min(0),
  terms_hash: Sha256Hex,
});

const usage = z.strictObject({ prompt_tokens: z.int().min(0), completion_tokens: z.int().min(0) });

/** Frames a miner sends. */
export const MinerFrame = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("register"),
    v: z.literal(SESSION_VERSION),
    public_key: Base64Url,
    signature: Base64Url,
    name: DisplayName,
    region: DisplayName.nullable(),
    payout: Address.nullable(),
    slots: z.int().min(1).max(MAX_SLOTS),
    capabilities: MinerCapabilities,
    /** Of the challenge's `features` those that this miner knows. */
    features: z.array(z.enum(SESSION_FEATURES)).max(SESSION_FEATURES.length).exactOptional(),
    /** Leases that the miner still works on, after a lost connection. */
    running: z.array(z.strictObject(LEASE)).max(MAX_SLOTS),
  }),
  z.strictObject({ type: z.literal("heartbeat"), running: z.array(z.strictObject(LEASE)).max(MAX_SLOTS) }),
  z.strictObject({ type: z.literal("start"), ...LEASE }),
  z.strictObject({
    type: z.literal("reject"),
    ...LEASE,
    code: z.string().max(64),
    message: z.string().max(512),
  }),
  z.strictObject({
    type: z.literal("chunk"),
    ...LEASE,
    /** Where the text begins in the job's whole output, in bytes. */
    offset: ByteCount,
    text: z.string().min(1).max(MAX_CHUNK_BYTES),
  }),
  z.strictObject({ type: z.literal("progress"), progress: ProgressStatement, signature: Base64Url }),
  z.strictObject({
    type: z.literal("complete"),
    ...LEASE,
    finish_reason: z.enum(DELTA_FINISH_REASONS),
    usage,
    /** Built from the terms and signed by the miner. */
    receipt: ReceiptJson,
  }),
  z.strictObject({
    type: z.literal("fail"),
    ...LEASE,
    code: z
      .string()
      .max(64)
      .regex(/^[A-Z][A-Z0-9_]*$/, "must be upper snake case"),
    message: z.string().max(512),
    retryable: z.boolean(),
  }),
  z.strictObject({ type: z.literal("drain") }),
  /** Takes the place of what the registration said: for offers from here on. */
  z.strictObject({
    type: z.literal("update"),
    slots: z.int().min(1).max(MAX_SLOTS),
    capabilities: MinerCapabilities,
  }),
]);
export type MinerFrame = z.infer<typeof MinerFrame>;

const Offer = z.object({
  type: z.literal("offer"),
  terms: OfferTerms,
  payload: JobPayload,
  /** Text delivered by earlier segments: the answer goes on right after it. */
  prefix: z.string(),
  /** How long the lease lasts without a sign of life, in ms. */
  lease_ms: z.int().min(1),
  /** How long the job may still run, in ms. */
  deadline_ms: z.int().min(1),
});
export type Offer = z.infer<typeof Offer>;

/** Frames a coordinator sends. Unknown members are allowed: newer coordinators may say more. */
export const CoordinatorFrame = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("challenge"),
    v: z.literal(SESSION_VERSION),
    nonce: Sha256Hex,
    coordinator_id: Address,
    coordinator_public_key: Base64Url,
    features: z.array(z.string()).exactOptional(),
  }),
  z.object({
    type: z.literal("registered"),
    miner_id: Address,
    heartbeat_ms: z.int().min(1),
    /** Leases of `running` that still hold, with the bytes of the job's output that are stored. */
    resume: z.array(z.object({ ...LEASE, bytes: ByteCount })),
    /** Leases of `running` that are lost. */
    lost: z.array(z.object(LEASE)),
  }),
  Offer,
  z.object({ type: z.literal("ack"), ...LEASE, bytes: ByteCount }),
  z.object({ type: z.literal("acks"), acks: z.array(z.object({ ...LEASE, bytes: ByteCount })) }),
  z.object({ type: z.literal("completed"), ...LEASE, receipt: ReceiptJson }),
  z.object({ type: z.literal("cancel"), ...LEASE, reason: z.string() }),
  /** The lease is not held any more, or its frame was refused: stop working on it. */
  z.object({ type: z.literal("fenced"), ...LEASE, code: z.string(), detail: z.string() }),
  z.object({ type: z.literal("drained") }),
  z.object({ type: z.literal("error"), code: z.string(), detail: z.string() }),
]);
export type CoordinatorFrame = z.infer<typeof CoordinatorFrame>;

/**
 * Frames that come with each piece of an answer, and before its first one: where miner and coordinator share a process
 * they are handed over as objects, since to write and to read them took longer than all that is done with them.
 */
export const HANDED_OVER: ReadonlySet<MinerFrame["type"] | CoordinatorFrame["type"]> = new Set([
  "offer",
  "start",
  "chunk",
  "progress",
  "ack",
  "acks",
] as const);

/** A decoder of frames: text to a checked frame, or PROTOCOL_VIOLATION with the member at fault. */
function decoder<T>(schema: z.ZodType<T>): (raw: RawFrame) => T {
  return (raw) => {
    if (raw.length > MAX_FRAME_BYTES) {
      throw new AppError("PROTOCOL_VIOLATION", `a frame is longer than ${MAX_FRAME_BYTES} characters`);
    }
    const parsed = compiledInUse(schema).safeParse(parseJson(raw));
    if (parsed.success) return parsed.data;
    const issue = parsed.error.issues[0];
    throw new AppError(
      "PROTOCOL_VIOLATION",
      `frame: /${issue?.path.join("/") ?? ""}: ${issue?.message ?? ""}`,
    );
  };
}

type Chunk = Extract<MinerFrame, { type: "chunk" }>;

/** A chunk in the spelling of JSON.stringify, up to its text. Numbers of 15 digits are exact. */
const CHUNK_HEAD =
  /^\{"type":"chunk","job_id":"([0-9a-f]{32})","token":([1-9]\d{0,14}),"offset":(0|[1-9]\d{0,14}),"text":(?=")/;

/**
 * Reads the frame that comes most, as miners usually spell it. What it reads is what parser and schema make of the
 * same text; undefined leaves the text to them, and so everything that is to be refused.
 */
export function readPlainChunk(raw: RawFrame): Chunk | undefined {
  const head = CHUNK_HEAD.exec(raw);
  if (!head || !raw.endsWith('"}')) return undefined;
  const [{ length }, job_id = "", token, offsetText] = head;
  const text = readString(raw.slice(length, -1));
  const offset = Number(offsetText);
  if (!text || text.length > MAX_CHUNK_BYTES || offset > MAX_OUTPUT_BYTES) return undefined;
  return { type: "chunk", job_id, token: Number(token), offset, text };
}

/** The string of a JSON text that begins with a quotation mark; undefined where it is none, or has half a character. */
function readString(json: string): string | undefined {
  try {
    const text = JSON.parse(json) as string;
    return text.isWellFormed() ? text : undefined;
  } catch {
    return undefined;
  }
}

const decodeAnyMinerFrame = decoder(MinerFrame);

/** @throws AppError PROTOCOL_VIOLATION, naming the member at fault; what the JSON parser throws */
export const decodeMinerFrame = (raw: RawFrame): MinerFrame =>
  readPlainChunk(raw) ?? decodeAnyMinerFrame(raw);
export const decodeCoordinatorFrame = decoder(CoordinatorFrame);

export const minerSession = route({
  method: "GET",
  path: "/v1/miners/session",
  access: ["miner"],
  tag: "Miners",
  summary: "A miner's session (WebSocket)",
  description: "The key is checked before the upgrade. Frames are described in protocols/README.md.",
  responses: { 101: { description: "Switching to WebSocket" } },
});

export const MINER_ROUTES = [minerSession] as const;
