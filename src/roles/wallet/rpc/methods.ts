import { z } from "zod";
import { check } from "../../../kernel/http/body.ts";
import { MAX_PAGE } from "../../../wire/limits.ts";
import { ReceiptParams } from "../../../wire/wallet/receipts.ts";
import { MessageBase64, WalletId } from "../../../wire/wallet/scalars.ts";
import { CreateWalletBody, SignBody, UnlockBody } from "../../../wire/wallet/wallets.ts";
import type { Caller } from "../history.ts";
import type { Receipts } from "../receipts/receipts.ts";
import type { WalletService } from "../service.ts";

/** What methods answer from. */
export interface Answering {
  readonly service: WalletService;
  readonly receipts: Receipts;
}

/** Runs a method with the members of `params`. Throws AppError INVALID_PAYLOAD for params that it does not take. */
export type Method = (answering: Answering, caller: Caller, params: unknown) => Promise<unknown>;

function method<Params>(
  schema: z.ZodType<Params>,
  run: (answering: Answering, caller: Caller, params: Params) => Promise<unknown>,
): Method {
  return async (answering, caller, params) => run(answering, caller, check(schema, params, "body"));
}

const None = z.strictObject({});
const JobParams = z.strictObject(ReceiptParams.shape);
const HistoryParams = JobParams.extend({
  cursor: z
    .string()
    .regex(/^[0-9]{1,15}$/, "must be a cursor of an earlier page")
    .optional(),
  limit: z.int().min(1).max(MAX_PAGE).default(MAX_PAGE),
});
const WalletParams = z.strictObject({ wallet_id: WalletId });
const UnlockParams = UnlockBody.extend(WalletParams.shape);
const SignParams = z.strictObject({
  wallet_id: WalletId,
  message: MessageBase64,
  password: SignBody.shape.password,
  session_token: SignBody.shape.session_token,
  address: SignBody.shape.address,
});

/** Every method, by name. */
export const METHODS: ReadonlyMap<string, Method> = new Map([
  [
    "receipts.verify_latest",
    method(JobParams, async ({ receipts }, _caller, { job_id }) => {
      const { result, status } = await receipts.latest(job_id);
      return { ...result, status };
    }),
  ],
  [
    "receipts.verify_history",
    method(HistoryParams, async ({ receipts }, _caller, { job_id, cursor, limit }) => {
      const { result, ...page } = await receipts.history(job_id, { cursor, limit });
      return { ...result, ...page };
    }),
  ],
  ["receipts.status", method(JobParams, ({ receipts }, _caller, { job_id }) => receipts.status(job_id))],
  ["wallet.list", method(None, ({ service }) => service.list())],
  [
    "wallet.create",
    method(CreateWalletBody, async ({ service }, caller, params) => ({
      wallet: await service.create(caller, params),
    })),
  ],
  [
    "wallet.unlock",
    method(UnlockParams, ({ service }, caller, { wallet_id, ...body }) =>
      service.unlock(caller, wallet_id, body),
    ),
  ],
  [
    "wallet.lock",
    method(WalletParams, async ({ service }, caller, { wallet_id }) => {
      await service.lock(caller, wallet_id);
      return { wallet_id, unlocked: false };
    }),
  ],
  [
    "wallet.sign",
    method(SignParams, ({ service }, caller, { wallet_id, message, ...proof }) => {
      const body = check(SignBody, { ...proof, message_base64: message }, "body");
      return service.signMessage(caller, wallet_id, body);
    }),
  ],
]);
