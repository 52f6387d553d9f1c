/** The coordinator's own limits and periods. */
import { MAX_UNSECURED_BYTES } from "../../wire/limits.ts";

/** Chunks of all jobs that arrive within this time are stored by one operation, in ms (design: ≤ 2 ms). */
export const FLUSH_DELAY_MS = 2;
/** Flushes on their way to the disk: one that is written, and one that is ready when it is done. */
export const MAX_FLUSHES_AT_ONCE = 2;
/** As many while answers begin: a first text does not wait for a flush that others fill. */
export const MAX_FIRST_FLUSHES_AT_ONCE = 8;
/**
 * Pieces of one lease that one flush stores as they came, a chunk each; where more wait they are joined. A fast engine
 * delivers 200 a second, of which a flush finds one, or as many as come while a disk stalls for a tenth of a second.
 */
export const MAX_PIECES_APART = 32;
/** How often the queue is searched for jobs that expired or whose back-off is over, in ms. */
export const SWEEP_INTERVAL_MS = 250;
/** Entries that one sweep handles; the rest waits for the next, so that a flood never blocks the loop. */
export const SWEEP_BATCH = 500;
/** How often idle miners look for jobs whose event was lost, in ms. */
export const RECHECK_INTERVAL_MS = 1_000;
/** How long an answer is kept under its Idempotency-Key, in ms. */
export const IDEMPOTENCY_KEPT_MS = 24 * 3600 * 1000;
/** How often old Idempotency-Keys and unused classes of needs are removed, in ms. */
export const HOUSEKEEPING_INTERVAL_MS = 60_000;
/** Classes of needs kept in memory; beyond it unused ones are removed, then submissions are refused. */
export const MAX_REQUIREMENTS = 20_000;
/** A class of needs is kept this long after it was last asked for, in ms: longer than any submission takes. */
export const REQUIREMENT_KEPT_MS = 60_000;
/** Chunks that a reader takes at once, from memory or the database: a stalled one holds no more objects. */
export const CHUNK_PAGE = 256;
/** Text that a reader takes from the database at once, in bytes: with what the sockets hold, a stalled one costs less than 1 MiB. */
export const CHUNK_PAGE_BYTES = 64 * 1024;
/** Longest text of one stored chunk, in characters: as an event it is six times as long at worst, and copied once. */
export const MAX_STORED_CHARACTERS = 16 * 1024;
/**
 * Text of one lease that may wait for the database, in bytes; a miner that sends more loses the lease. An honest one
 * has MAX_UNSECURED_BYTES on their way, and as much again when it came back on a new connection.
 */
export const MAX_UNSTORED_BYTES = 2 * MAX_UNSECURED_BYTES;
/** Frames of one miner that are worked on at once: statements whose signatures are checked, endings being stored. */
export const MAX_FRAMES_AT_ONCE = 1024;
/** How often a silent stream says that it lives, in ms: proxies often close after 30 s. */
export const KEEP_ALIVE_MS = 15_000;
/** A job that a miner takes within this time does not wait: nobody counts those before it. In ms. */
export const AT_ONCE_MS = 20;
/** How often a waiting reader learns its position anew, in ms. */
export const POSITION_INTERVAL_MS = 1_000;
/** Positions are counted up to here; beyond it the position is a lower bound. */
export const POSITION_BOUND = 10_000;
/** Time in which a miner must register after the challenge, in ms. */
export const REGISTER_TIMEOUT_MS = 10_000;
/**
 * Statements of one lease are verified this far apart, in ms: each says all that the ones before it said. Those of a
 * fast engine come several a second, and each costs as much as a hundred pieces of text.
 */
export const PROOF_INTERVAL_MS = 1_000;
/** Sent bytes that may wait in a miner's connection before it is closed as too slow. */
export const MAX_BUFFERED_BYTES = 8 * 1024 * 1024;
/** Sent bytes that may wait in the connection of a client that watches a job, before it is closed as too slow. */
export const MAX_WATCHER_BUFFERED_BYTES = 256 * 1024;
/** Heartbeats that a miner without a session may miss before it is offline: with 10 s between two of them, 30 s. */
export const HEARTBEATS_TO_OFFLINE = 3;
/** Names of models that are remembered; beyond it the ones first seen longest ago are forgotten. */
export const MAX_KNOWN_MODELS = 10_000;
/** How long a stream that was asked for may wait for its first reading: an upgrade of the connection takes no longer, in ms. */
export const UNREAD_STREAM_MS = 10_000;
