/** What needs the wallet's daemon: unlock sessions, and receipts. */
import { resolve } from "node:path";
import type { WalletClient } from "../../../client/wallet.ts";
import { AppError } from "../../../kernel/errors.ts";
import type { ReceiptStatus, ReceiptVerification } from "../../../wire/wallet/receipts.ts";
import { formatRecord, formatTable, printResult } from "../../format.ts";
import { type Io, writeLine } from "../../io.ts";
import type { GlobalOptions } from "../../options.ts";
import { loadCommandConfig } from "../../session.ts";
import { writeNewFile } from "./files.ts";
import { type PasswordOptions, readPassword } from "./secrets.ts";

export interface DaemonOptions extends GlobalOptions {
  readonly walletUrl?: string;
}

const MS_PER_SECOND = 1000;

/** A client of the wallet's daemon on this machine, with the token of its data directory. */
export async function openWalletClient(io: Io, options: DaemonOptions): Promise<WalletClient> {
  const [{ createWalletClient }, { readSecretFile }, { dataPaths }, { config }] = await Promise.all([
    import("../../../client/wallet.ts"),
    import("../../../kernel/secret-file.ts"),
    import("../../../config/data-paths.ts"),
    loadCommandConfig(io, options),
  ]);
  const { socket, port } = config.wallet;
  const own = socket === null ? `http://127.0.0.1:${port}` : `unix:${socket}`;
  const token = await readSecretFile(dataPaths(config.data_dir).walletToken);
  if (token === undefined) {
    throw new AppError("UNREACHABLE", "no wallet has run on this data directory", {
      meta: { hint: "start it with: aitbc serve --roles wallet" },
    });
  }
  const timeoutMs = config.client.timeout_seconds * MS_PER_SECOND;
  return createWalletClient({ url: options.walletUrl ?? own, token, timeoutMs });
}

export interface UnlockOptions extends DaemonOptions, PasswordOptions {
  readonly operation?: readonly ("sign_message" | "sign_document")[];
  readonly maxAmount?: string;
  readonly idleSeconds?: number;
  readonly maxSeconds?: number;
  readonly sessionFile?: string;
}

/** Opens an unlock session; its token goes to stdout, or to a new file of its owner alone. */
export async function unlockWallet(io: Io, walletId: string, options: UnlockOptions): Promise<void> {
  const { parseAit } = await import("../../../domain/pricing/amount.ts");
  const { operation, maxAmount, idleSeconds, maxSeconds, sessionFile } = options;
  const client = await openWalletClient(io, options);
  using password = await readPassword(io, options);
  const unlocked = await client.unlock(walletId, {
    // JSON over the listener: here the password has to become a text.
    password: new TextDecoder().decode(password.bytes),
    ...(operation !== undefined && { operations: [...operation] }),
    ...(maxAmount !== undefined && { max_amount_uait: String(parseAit(maxAmount)) }),
    ...(idleSeconds !== undefined && { idle_seconds: idleSeconds }),
    ...(maxSeconds !== undefined && { max_seconds: maxSeconds }),
  });
  const { session, session_token, ...rest } = unlocked;
  writeLine(
    io.stderr,
    `${walletId} is unlocked until ${session.idle_ends_at}, when used until ${session.ends_at}`,
  );
  if (sessionFile === undefined) {
    await printResult(io, options.output ?? "table", unlocked, () => session_token);
    return;
  }
  const path = resolve(io.cwd, sessionFile);
  await writeNewFile(path, Buffer.from(`${session_token}\n`));
  await printResult(io, options.output ?? "table", { ...rest, session, session_file: path }, () => path);
}

/** Ends all sessions of a wallet, or of all wallets: the processes with the keys are killed. */
export async function lockWallet(
  io: Io,
  walletId: string | undefined,
  options: DaemonOptions,
): Promise<void> {
  const client = await openWalletClient(io, options);
  const locked = walletId === undefined ? await client.lockAll() : [walletId];
  if (walletId !== undefined) await client.lock(walletId);
  await printResult(io, options.output ?? "table", { locked }, () =>
    locked.length === 0 ? "nothing was unlocked" : `locked ${locked.join(", ")}`,
  );
}

export interface ReceiptsOptions extends DaemonOptions {
  readonly history?: boolean;
  readonly failed?: boolean;
  readonly limit?: number;
}

/** Prints what the receipts of a job are worth, or what is known of every job's. */
export async function printReceiptStatus(
  io: Io,
  jobId: string | undefined,
  options: ReceiptsOptions,
): Promise<void> {
  const client = await openWalletClient(io, options);
  const format = options.output ?? "table";
  const limit = options.limit === undefined ? {} : { limit: options.limit };
  if (jobId === undefined) {
    const page = await client.listReceiptStatus({ ...limit, ...(options.failed && { failed: "true" }) });
    await printResult(io, format, page.items, () => formatStatuses(page.items));
  } else if (options.history) {
    const history = await client.verifyReceiptHistory(jobId, limit);
    await printResult(io, format, history, () =>
      [formatStatus(history.status), "", ...history.items.map(formatVerification)].join("\n"),
    );
  } else {
    const latest = await client.verifyLatestReceipt(jobId);
    await printResult(io, format, latest, () =>
      [formatStatus(latest.status), "", formatVerification(latest.result)].join("\n"),
    );
  }
}

function formatStatuses(items: readonly ReceiptStatus[]): string {
  return formatTable(
    ["job", "receipts", "verified", "complete", "all verified"],
    items.map((one) => [one.job_id, one.receipts, one.verified, one.complete, one.all_verified]),
  );
}

function formatStatus({
  job_id,
  receipts,
  verified,
  complete,
  all_verified,
  failure_reasons,
}: ReceiptStatus): string {
  return formatRecord([
    ["job", job_id],
    ["receipts", `${verified} of ${receipts} verified${complete ? "" : "; more can follow"}`],
    ["all verified", all_verified],
    ...failure_reasons.map((reason) => ["failure", reason] as const),
  ]);
}

function formatVerification(receipt: ReceiptVerification): string {
  const { receipt_id, miner_signature: miner, coordinator_attestations: coordinators } = receipt;
  const worth = ({ valid, trusted, reason, key_id }: typeof miner): string =>
    `${valid ? "valid" : `INVALID: ${reason ?? "no reason given"}`}${trusted ? ", trusted" : ""}, ${key_id || "nobody"}`;
  return formatRecord([
    ["receipt", receipt_id],
    ["miner", worth(miner)],
    ...coordinators.map((one) => ["coordinator", worth(one)] as const),
  ]);
}
