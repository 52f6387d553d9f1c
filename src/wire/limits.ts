/** Limits of what crosses the wire. Each is a number with a reason; the OpenAPI document shows them. */

/** Largest JSON body of a request, in bytes: larger inputs travel as artifacts. */
export const MAX_BODY_BYTES = 1024 * 1024;
/** Largest WebSocket frame, in bytes: as large as a body, so that either way carries the same job. */
export const MAX_FRAME_BYTES = 1024 * 1024;
/** Largest text of one chunk frame, in bytes: 64 KiB keeps a frame far below its limit when escaped. */
export const MAX_CHUNK_BYTES = 64 * 1024;
/** Largest output of one job, in bytes: its miner keeps it in memory until the coordinator has confirmed its end. */
export const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;
/** Largest output that a result carries itself, in bytes: a larger one is an artifact. */
export const MAX_INLINE_BYTES = 1024 * 1024;
/**
 * Longest text that another miner continues, with the payload, in bytes: both travel in one frame, where escapes
 * make them longer.
 */
export const MAX_CONTINUED_BYTES = MAX_FRAME_BYTES / 2;
/** Most text of one job that a miner has on its way without the coordinator's confirmation, in bytes. */
export const MAX_UNSECURED_BYTES = 1024 * 1024;
/** Longest model name, in characters. */
export const MAX_MODEL_NAME = 128;
/** Longest conversation, in messages. */
export const MAX_MESSAGES = 1024;
/** Most stop strings of one job, and the longest one: what common APIs allow. */
export const MAX_STOP_STRINGS = 8;
export const MAX_STOP_CHARACTERS = 64;
/** Most tokens that one job may ask for. */
export const MAX_TOKENS = 131_072;
/** How long a job waits for its first claim, in seconds: default and longest (one day). */
export const DEFAULT_TTL_SECONDS = 900;
export const MAX_TTL_SECONDS = 86_400;
/** How long one job may run over all its attempts, in seconds. */
export const DEFAULT_RUN_SECONDS = 600;
export const MAX_RUN_SECONDS = 86_400;
/** How often a job is tried before it fails. */
export const DEFAULT_ATTEMPTS = 3;
export const MAX_ATTEMPTS = 10;
/** Priorities: 0 is the lowest, 3 the highest. */
export const MAX_PRIORITY = 3;
export const DEFAULT_PRIORITY = 1;
/** Longest Idempotency-Key, in characters. */
export const MAX_IDEMPOTENCY_KEY = 255;
/** Most entries of one page. */
export const MAX_PAGE = 200;
/** Most jobs that one miner runs at once. */
export const MAX_SLOTS = 256;
/** Longest display name of a miner or a key, in characters. */
export const MAX_NAME = 64;
/** Most entries of a miner's list of GPUs and of models. */
export const MAX_GPUS = 64;
export const MAX_MODELS = 1024;
/** Farthest entry that a page can begin at by its offset: what lies beyond is reached by cursors. */
export const MAX_LIST_OFFSET = 10_000;
/** Longest text that jobs are searched for, in characters. */
export const MAX_SEARCH_CHARACTERS = 256;
/** Templates that one owner keeps: far more than people tell apart. */
export const MAX_TEMPLATES = 100;
/** Days of the analytics: default and most. */
export const DEFAULT_ANALYTICS_DAYS = 7;
export const MAX_ANALYTICS_DAYS = 365;
/** Records of the log that are kept in memory, some hundred bytes each. */
export const MAX_LOG_RECORDS = 1_000;
/** Parts of one message: texts and images. */
export const MAX_PARTS = 256;
/** Tools that one job may name, and the longest name of one: what common APIs allow. */
export const MAX_TOOLS = 128;
export const MAX_TOOL_NAME = 64;
/** Longest description of a tool, in characters. */
export const MAX_TOOL_DESCRIPTION = 16_384;
/** Longest id of a call, in characters. */
export const MAX_CALL_ID = 128;
/** Alternatives of a token that are told with their probabilities. */
export const MAX_LOGPROBS = 20;
/** Longest time that a model is asked to stay loaded, in seconds. */
export const MAX_KEEP_ALIVE_SECONDS = 86_400;
/** Longest vector that can be asked for. */
export const MAX_DIMENSIONS = 16_384;
/** Names of what a model can do. */
export const MAX_FEATURES = 32;
