import { z } from "zod";
import { utf8Length } from "../../crypto/bytes.ts";
import {
  MAX_MESSAGE_BASE64,
  MAX_METADATA_BYTES,
  MAX_METADATA_NAME,
  MAX_PASSWORD_CHARACTERS,
} from "./limits.ts";

/** Id of a wallet; it names the keystore file too. */
export const WalletId = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, "must be up to 64 letters, digits, dots, dashes, underscores")
  .meta({ description: "Id of a wallet", example: "savings" });

export const Password = z.string().min(1).max(MAX_PASSWORD_CHARACTERS);

/** A text as base64 (RFC 4648 §4), padded or not. */
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?$/;

/** A message to sign. */
export const MessageBase64 = z.string().max(MAX_MESSAGE_BASE64).regex(BASE64, "must be base64");

/** A secret key: 32 bytes. */
export const SecretKeyBase64 = z
  .string()
  .regex(/^[A-Za-z0-9+/]{43}=?$/, "must be 32 bytes as base64")
  .meta({ description: "An Ed25519 secret key to take over: 32 bytes as base64" });

/** What the owner notes about a wallet. It is stored in the clear. */
export const Metadata = z
  .record(z.string().min(1).max(MAX_METADATA_NAME), z.json())
  .refine((value) => utf8Length(JSON.stringify(value)) <= MAX_METADATA_BYTES, {
    message: `must have at most ${MAX_METADATA_BYTES} bytes as JSON`,
  })
  .meta({ description: "Notes about the wallet, for people; stored in the clear" });
