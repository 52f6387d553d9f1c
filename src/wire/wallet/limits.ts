/** Limits of what crosses the wallet's listener. Each is a number with a reason. */

/** Calls of one JSON-RPC batch: what a person's program asks at once; a flood is refused as a whole. */
export const MAX_RPC_BATCH = 20;
/** Longest id of a JSON-RPC call that is a text, in characters. */
export const MAX_RPC_ID = 128;
/** Longest password, in characters: far more than anybody types, and little to hash. */
export const MAX_PASSWORD_CHARACTERS = 1024;
/** Largest message that is signed, in bytes: larger ones are signed by their hash. */
const MAX_MESSAGE_BYTES = 256 * 1024;
/** Characters of `MAX_MESSAGE_BYTES` as base64. */
export const MAX_MESSAGE_BASE64 = Math.ceil(MAX_MESSAGE_BYTES / 3) * 4;
/** Largest metadata of a wallet, in bytes of JSON: labels, not documents. */
export const MAX_METADATA_BYTES = 4096;
/** Longest name of a member of metadata, in characters. */
export const MAX_METADATA_NAME = 64;
/** Calls of one password route for one wallet in `PASSWORD_WINDOW_SECONDS`. */
export const PASSWORD_CALLS = 30;
export const PASSWORD_WINDOW_SECONDS = 60;
/** Unlock sessions that are open at once. */
export const MAX_SESSIONS = 64;
