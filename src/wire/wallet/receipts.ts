import { z } from "zod";
import { MAX_PAGE } from "../limits.ts";
import { Timestamp } from "../scalars.ts";
import { walletRoute } from "./access.ts";

/** What one signature on a receipt is worth. */
export const SignatureCheck = z.object({
  key_id: z.string().meta({ description: "Public key, unpadded base64url; empty where nobody signed" }),
  alg: z.string(),
  valid: z.boolean(),
  trusted: z.boolean().meta({ description: "The key is one that the configuration names" }),
  reason: z.string().nullable().meta({ description: "Why it is not valid; null where it is" }),
});
export type SignatureCheck = z.infer<typeof SignatureCheck>;

export const ReceiptVerification = z.object({
  job_id: z.string(),
  receipt_id: z.string(),
  miner_signature: SignatureCheck,
  coordinator_attestations: z.array(SignatureCheck),
  all_valid: z.boolean().meta({ description: "Both sides signed, every signature holds, nothing failed" }),
  failure_reasons: z.array(z.string()),
  receipt_hash: z.string().nullable(),
  coordinator: z.string().meta({ description: "Where the receipt was read" }),
  received_at: Timestamp,
});
export type ReceiptVerification = z.infer<typeof ReceiptVerification>;

/** What is known of all receipts of one job. */
export const ReceiptStatus = z.object({
  job_id: z.string(),
  receipts: z.int(),
  verified: z.int(),
  complete: z.boolean().meta({ description: "The job has ended and all its receipts are here" }),
  all_verified: z.boolean().meta({ description: "There is at least one receipt, and each is valid" }),
  failure_reasons: z.array(z.string()).meta({ description: "`receipt_id: check: what is wrong`" }),
  updated_at: Timestamp,
});
export type ReceiptStatus = z.infer<typeof ReceiptStatus>;

const access = "token";
const tag = "Receipts";
/** What is no id cannot name a job: such a call is answered 404 like any other unknown job. */
export const ReceiptParams = z.object({ job_id: z.string().min(1).max(256) });

export const verifyLatestReceipt = walletRoute({
  method: "GET",
  path: "/v1/receipts/:job_id",
  access,
  tag,
  summary: "The last receipt of a job, checked",
  description:
    "The receipts are fetched from the coordinators first. When none answers, what was read before is told.",
  params: ReceiptParams,
  responses: {
    200: {
      description: "What each signature is worth",
      schema: z.object({ result: ReceiptVerification, status: ReceiptStatus }),
    },
  },
});

export const ReceiptHistory = z.object({
  result: ReceiptVerification.meta({ description: "The last one" }),
  items: z.array(ReceiptVerification).meta({ description: "All of the page, oldest first" }),
  next_cursor: z.string().nullable(),
  status: ReceiptStatus,
});
export type ReceiptHistory = z.infer<typeof ReceiptHistory>;

const PageQuery = z.object({
  cursor: z
    .string()
    .regex(/^[0-9]{1,15}$/, "must be a cursor of an earlier page")
    .optional(),
  limit: z.coerce.number().int().min(1).max(MAX_PAGE).default(50),
});

export const verifyReceiptHistory = walletRoute({
  method: "GET",
  path: "/v1/receipts/:job_id/history",
  access,
  tag,
  summary: "All receipts of a job, checked",
  params: ReceiptParams,
  query: PageQuery,
  responses: { 200: { description: "Oldest first", schema: ReceiptHistory } },
});

export const listReceiptStatus = walletRoute({
  method: "GET",
  path: "/v1/receipts",
  access,
  tag,
  summary: "What is known of each job's receipts, the jobs seen last first",
  query: PageQuery.extend({
    failed: z.enum(["true", "false"]).optional().meta({ description: "Only jobs with something wrong" }),
  }),
  responses: {
    200: {
      description: "A page",
      schema: z.object({ items: z.array(ReceiptStatus), next_cursor: z.string().nullable() }),
    },
  },
});

/** One event of the wallet, as it was told on the bus. */
export const WalletEvent = z.object({
  seq: z.int(),
  at: Timestamp,
  event: z.string(),
  data: z.record(z.string(), z.unknown()),
});
export type WalletEvent = z.infer<typeof WalletEvent>;

export const listWalletEvents = walletRoute({
  method: "GET",
  path: "/v1/events",
  access,
  tag: "History",
  summary: "Events of the wallet, oldest first",
  query: PageQuery,
  responses: {
    200: {
      description:
        "A page; `next_cursor` is null at the end, where the last `seq` is the cursor of what follows",
      schema: z.object({ items: z.array(WalletEvent), next_cursor: z.string().nullable() }),
    },
  },
});

/** One use of keys or passwords, or one that was refused. */
export const AccessEntry = z.object({
  seq: z.int(),
  at: Timestamp,
  operation: z.string(),
  wallet_id: z.string().nullable(),
  session_id: z.string().nullable(),
  via: z.enum(["rest", "rpc", "daemon"]),
  outcome: z.string().meta({ description: "`ok`, or the code of the error" }),
  request_id: z.string(),
});
export type AccessEntry = z.infer<typeof AccessEntry>;

export const listAccess = walletRoute({
  method: "GET",
  path: "/v1/access-log",
  access,
  tag: "History",
  summary: "Uses of keys and passwords, oldest first; the list only grows",
  query: PageQuery,
  responses: {
    200: {
      description: "A page, as of events",
      schema: z.object({ items: z.array(AccessEntry), next_cursor: z.string().nullable() }),
    },
  },
});

export const RECEIPT_ROUTES = [
  verifyLatestReceipt,
  verifyReceiptHistory,
  listReceiptStatus,
  listWalletEvents,
  listAccess,
] as const;
