/** What the daemon asks of the process that holds keys, and what comes back. Both ends are this program. */
import { z } from "zod";
import { type ErrorCode, isErrorCode } from "../../../kernel/errors.ts";
import { WALLET_TYPES } from "./signer.ts";

const walletId = { wallet_id: z.string() };
const ofAccount = { ...walletId, address: z.string() };

/** Parts, in their order, stand beside each call. */
export const Call = z.discriminatedUnion("call", [
  /** Part: password. Holds the wallet's keys from then on. */
  z.strictObject({ call: z.literal("unlock"), ...walletId }),
  /** Part: message. For an unlocked wallet. */
  z.strictObject({ call: z.literal("sign_message"), address: z.string().optional() }),
  /** Parts: realm, payload. For an unlocked wallet. */
  z.strictObject({
    call: z.literal("sign_document"),
    type: z.enum(WALLET_TYPES),
    address: z.string().optional(),
  }),
  /** Parts: password, and the secret where its kind is given. */
  z.strictObject({
    call: z.literal("create"),
    ...walletId,
    metadata: z.record(z.string(), z.json()),
    secret: z.enum(["phrase", "key"]).optional(),
  }),
  /** Parts: password, new password. */
  z.strictObject({ call: z.literal("change_password"), ...walletId }),
  /** Part of this and all that follow: password. */
  z.strictObject({ call: z.literal("add_account"), ...walletId, label: z.string() }),
  z.strictObject({ call: z.literal("watch"), ...ofAccount, label: z.string() }),
  z.strictObject({ call: z.literal("unwatch"), ...ofAccount }),
  z.strictObject({ call: z.literal("set_label"), ...ofAccount, label: z.string() }),
  z.strictObject({ call: z.literal("export_phrase"), ...walletId }),
  z.strictObject({ call: z.literal("export_key"), ...walletId, address: z.string().optional() }),
  z.strictObject({ call: z.literal("export_file"), ...walletId }),
  z.strictObject({ call: z.literal("delete"), ...walletId }),
  /** Parts: password, file. */
  z.strictObject({ call: z.literal("import_file"), wallet_id: z.string().optional() }),
]);
export type Call = z.infer<typeof Call>;

export const Request = z.strictObject({ id: z.int().min(1), call: Call });

const Code = z.custom<ErrorCode>(isErrorCode);
const Meta = z.record(
  z.string(),
  z.union([z.string(), z.number(), z.boolean(), z.null(), z.array(z.string())]),
);

/** A call's answer: a result, secret ones as parts, or an error. */
export const Response = z.union([
  z.strictObject({ id: z.int(), result: z.unknown() }),
  z.strictObject({ id: z.int(), error: z.strictObject({ code: Code, detail: z.string(), meta: Meta }) }),
]);
export type Response = z.infer<typeof Response>;
