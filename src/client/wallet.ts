import type { z } from "zod";
import { AppError } from "../kernel/errors.ts";
import type { RouteContract } from "../kernel/http/contract.ts";
import {
  type AccessEntry,
  listAccess,
  listReceiptStatus,
  listWalletEvents,
  type ReceiptHistory,
  type ReceiptStatus,
  type ReceiptVerification,
  verifyLatestReceipt,
  verifyReceiptHistory,
  type WalletEvent,
} from "../wire/wallet/receipts.ts";
import { endSession, listSessions, lockAll, SessionView } from "../wire/wallet/sessions.ts";
import {
  type CreateWalletBody,
  createWallet,
  getWallet,
  listWallets,
  lockWallet,
  type SignBody,
  type SignDocumentBody,
  Signed,
  signDocument,
  signMessage,
  type UnlockBody,
  Unlocked,
  unlockWallet,
  type WalletView,
} from "../wire/wallet/wallets.ts";
import type { CallOptions, ListQuery } from "./client.ts";
import { type CallInput, createTransport, type Fetch } from "./transport.ts";
import { fetchOverSocket } from "./wallet-socket.ts";

/** Name under which a listener on a unix socket is called. */
const SOCKET_BASE = "http://localhost";
const UNIX = "unix:";

export interface WalletClientOptions {
  /** `http://127.0.0.1:8071`, or `unix:/path/of/the/socket`. */
  readonly url: string;
  /** The token of the listener's file. */
  readonly token: string;
  /** Longest wait for an answer, in ms. */
  readonly timeoutMs: number;
  readonly fetch?: Fetch;
}

/** The typed client of a wallet's own listener. Every method throws AppError; every answer is checked. */
export interface WalletClient {
  readonly url: string;
  listWallets(options?: CallOptions): Promise<{ items: WalletView[]; damaged: string[] }>;
  getWallet(walletId: string, options?: CallOptions): Promise<WalletView>;
  createWallet(body: z.input<typeof CreateWalletBody>, options?: CallOptions): Promise<WalletView>;
  /** Opens an unlock session. What the body leaves out is the daemon's default. */
  unlock(walletId: string, body: z.input<typeof UnlockBody>, options?: CallOptions): Promise<Unlocked>;
  lock(walletId: string, options?: CallOptions): Promise<void>;
  /** Locks every wallet; which were unlocked. */
  lockAll(options?: CallOptions): Promise<readonly string[]>;
  signMessage(walletId: string, body: SignBody, options?: CallOptions): Promise<Signed>;
  signDocument(walletId: string, body: SignDocumentBody, options?: CallOptions): Promise<Signed>;
  listSessions(options?: CallOptions): Promise<readonly SessionView[]>;
  endSession(sessionId: string, options?: CallOptions): Promise<SessionView>;
  /** The last receipt of a job, checked, and what is known of all. */
  verifyLatestReceipt(
    jobId: string,
    options?: CallOptions,
  ): Promise<{ result: ReceiptVerification; status: ReceiptStatus }>;
  /** A page of a job's receipts, oldest first. The query is `cursor` and `limit`. */
  verifyReceiptHistory(jobId: string, query: ListQuery, options?: CallOptions): Promise<ReceiptHistory>;
  /** Jobs with receipts, those seen last first. The query is `cursor`, `limit` and `failed`. */
  listReceiptStatus(query: ListQuery, options?: CallOptions): Promise<Page<ReceiptStatus>>;
  listEvents(query: ListQuery, options?: CallOptions): Promise<Page<WalletEvent>>;
  listAccess(query: ListQuery, options?: CallOptions): Promise<Page<AccessEntry>>;
}

interface Page<Item> {
  items: Item[];
  next_cursor: string | null;
}

const Created = createWallet.responses[201].schema;
/** The listener takes only JSON for whatever changes something. */
const NO_BODY = {};

/** Calls a route with the token; says which daemon is meant where none answers. */
type Call = <T>(route: RouteContract, schema: z.ZodType<T>, input?: CallInput) => Promise<T>;

function createCall({ url, token, timeoutMs, fetch }: WalletClientOptions): Call {
  const isSocket = url.startsWith(UNIX);
  const transport = createTransport({
    url: isSocket ? SOCKET_BASE : url,
    timeoutMs,
    ...(isSocket && { fetch: fetchOverSocket(url.slice(UNIX.length)) }),
    ...(fetch && { fetch }),
  });
  return async (route, schema, input = {}) => {
    const headers = { ...input.headers, authorization: `Bearer ${token}` };
    try {
      return await transport.call(route, schema, { ...input, headers });
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== "UNREACHABLE") throw error;
      throw new AppError("UNREACHABLE", `no wallet answers at ${url}`, {
        meta: { hint: "start it with: aitbc serve --roles wallet" },
        cause: error,
      });
    }
  };
}

/** Creates a client. It opens no connection before the first call. */
export function createWalletClient(options: WalletClientOptions): WalletClient {
  const call = createCall(options);
  const of = (walletId: string, { signal }: CallOptions, body?: unknown): CallInput => ({
    params: { wallet_id: walletId },
    signal,
    ...(body !== undefined && { body }),
  });
  return {
    url: options.url,
    listWallets: ({ signal } = {}) => call(listWallets, listWallets.responses[200].schema, { signal }),
    getWallet: async (walletId, opts = {}) =>
      (await call(getWallet, getWallet.responses[200].schema, of(walletId, opts))).wallet,
    createWallet: async (body, { signal } = {}) =>
      (await call(createWallet, Created, { body, signal })).wallet,
    unlock: (walletId, body, opts = {}) => call(unlockWallet, Unlocked, of(walletId, opts, body)),
    async lock(walletId, opts = {}) {
      await call(lockWallet, lockWallet.responses[200].schema, of(walletId, opts, NO_BODY));
    },
    lockAll: async ({ signal } = {}) =>
      (await call(lockAll, lockAll.responses[200].schema, { body: NO_BODY, signal })).locked,
    signMessage: (walletId, body, opts = {}) => call(signMessage, Signed, of(walletId, opts, body)),
    signDocument: (walletId, body, opts = {}) => call(signDocument, Signed, of(walletId, opts, body)),
    listSessions: async ({ signal } = {}) =>
      (await call(listSessions, listSessions.responses[200].schema, { signal })).items,
    endSession: (sessionId, { signal } = {}) =>
      call(endSession, SessionView, { params: { session_id: sessionId }, body: NO_BODY, signal }),
    ...createReceiptCalls(call),
  };
}

type ReceiptCalls = Pick<
  WalletClient,
  "verifyLatestReceipt" | "verifyReceiptHistory" | "listReceiptStatus" | "listEvents" | "listAccess"
>;

function createReceiptCalls(call: Call): ReceiptCalls {
  const ofJob = (jobId: string, { signal }: CallOptions = {}): CallInput => ({
    params: { job_id: jobId },
    signal,
  });
  return {
    verifyLatestReceipt: (jobId, opts) =>
      call(verifyLatestReceipt, verifyLatestReceipt.responses[200].schema, ofJob(jobId, opts)),
    verifyReceiptHistory: (jobId, query, opts) =>
      call(verifyReceiptHistory, verifyReceiptHistory.responses[200].schema, {
        ...ofJob(jobId, opts),
        query,
      }),
    listReceiptStatus: (query, { signal } = {}) =>
      call(listReceiptStatus, listReceiptStatus.responses[200].schema, { query, signal }),
    listEvents: (query, { signal } = {}) =>
      call(listWalletEvents, listWalletEvents.responses[200].schema, { query, signal }),
    listAccess: (query, { signal } = {}) =>
      call(listAccess, listAccess.responses[200].schema, { query, signal }),
  };
}
