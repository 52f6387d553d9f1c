import { fromHex } from "../../crypto/bytes.ts";
import { canonicalizeSigned } from "../../crypto/canonical-json.ts";
import { SecretBytes } from "../../crypto/secret-bytes.ts";
import { AppError } from "../../kernel/errors.ts";
import type { JsonObject } from "../../kernel/json-value.ts";
import type { SessionOperation, SessionView } from "../../wire/wallet/sessions.ts";
import type {
  CreateWalletBody,
  SignBody,
  SignDocumentBody,
  Signed,
  UnlockBody,
  Unlocked,
  WalletView,
} from "../../wire/wallet/wallets.ts";
import type { WalletConfig } from "./config.ts";
import { concealWallet } from "./errors.ts";
import type { Caller, History, Use } from "./history.ts";
import type { Wallet } from "./keystore/keystore.ts";
import { checkNewPassword } from "./keystore/password.ts";
import type { WalletMetrics } from "./metrics.ts";
import type { WalletDeps } from "./ports.ts";
import { amountOf } from "./sessions/amount.ts";
import type { PasswordGate } from "./sessions/password-gate.ts";
import type { Sessions } from "./sessions/sessions.ts";
import type { UnlockedWallet } from "./signer/signer.ts";

const MS_PER_SECOND = 1000;
/** Stands for all wallets that are not there where calls are counted. */
const NO_WALLET = "?";

/** What shows that a caller may sign. */
interface Proof {
  readonly password?: string | undefined;
  readonly session_token?: string | undefined;
}

/** Something to sign: how, and what it moves (µAIT). */
interface ToSign {
  readonly operation: SessionOperation;
  readonly amount: bigint;
  sign(unlocked: UnlockedWallet): Promise<Uint8Array>;
}

/** The parts that the service is made of. */
export interface ServiceParts {
  readonly config: WalletConfig;
  readonly deps: WalletDeps;
  readonly sessions: Sessions;
  readonly gate: PasswordGate;
  readonly history: History;
  readonly metrics: WalletMetrics;
}

/** What both interfaces of the wallet do with wallets and sessions. */
export class WalletService {
  readonly #parts: ServiceParts;

  constructor(parts: ServiceParts) {
    this.#parts = parts;
  }

  async list(): Promise<{ items: WalletView[]; damaged: string[] }> {
    const { wallets, damaged } = await this.#parts.deps.keystore.list();
    return { items: wallets.map((wallet) => this.#view(wallet)), damaged: [...damaged] };
  }

  /** @throws AppError WALLET_NOT_FOUND, KEYSTORE_DAMAGED */
  async get(walletId: string): Promise<WalletView> {
    return this.#view(await this.#parts.deps.keystore.get(walletId));
  }

  /** @throws AppError RATE_LIMITED, PASSWORD_TOO_WEAK, WALLET_EXISTS, INVALID_ARGUMENT for a bad secret key */
  create(caller: Caller, body: CreateWalletBody): Promise<WalletView> {
    const { deps, gate, history } = this.#parts;
    const walletId = body.wallet_id;
    return history.noted(caller, { operation: "create", walletId }, async () => {
      await gate.count("create", NO_WALLET);
      using password = SecretBytes.fromUtf8(body.password);
      // The keystore checks it too, in a process that a weak one need not start.
      checkNewPassword(password.bytes);
      using key = body.secret_key === undefined ? undefined : toSecretKey(body.secret_key);
      const wallet = await deps.keystore.create({
        walletId,
        password,
        // Checked by its schema: JSON.
        metadata: body.metadata as JsonObject,
        ...(key && { secret: { kind: "key", key } }),
      });
      await history.tell("wallet.created", { wallet_id: walletId });
      return this.#view(wallet);
    });
  }

  /** @throws AppError INVALID_CREDENTIALS, RATE_LIMITED, LIMIT_EXCEEDED */
  unlock(caller: Caller, walletId: string, body: UnlockBody): Promise<Unlocked> {
    const { config, sessions, history } = this.#parts;
    const use: Use = { operation: "unlock", walletId };
    return history.noted(caller, use, async () => {
      const opened = await this.#tryPassword("unlock", walletId, body.password, (password) =>
        sessions.open(walletId, password, {
          operations: [...new Set(body.operations)],
          maxAmount: BigInt(body.max_amount_uait),
          idleMs: toMs(body.idle_seconds, config.unlock_idle_seconds),
          maxMs: toMs(body.max_seconds, config.unlock_max_seconds),
        }),
      );
      const { session, token } = opened;
      use.sessionId = session.session_id;
      await history.tell("wallet.unlocked", { wallet_id: walletId, session_id: session.session_id });
      return { wallet_id: walletId, unlocked: true, session, session_token: token };
    });
  }

  /** Locks a wallet, whether it was unlocked or not. @throws AppError WALLET_NOT_FOUND */
  lock(caller: Caller, walletId: string): Promise<void> {
    const { deps, sessions, history } = this.#parts;
    return history.noted(caller, { operation: "lock", walletId }, async () => {
      // A wallet whose file is gone may still have its keys in memory.
      if (!(await sessions.lock(walletId))) await deps.keystore.get(walletId);
    });
  }

  lockAll(caller: Caller): Promise<string[]> {
    const { sessions, history } = this.#parts;
    return history.noted(caller, { operation: "lock", walletId: null }, () => sessions.lockAll());
  }

  listSessions(): SessionView[] {
    return this.#parts.sessions.list();
  }

  /** @throws AppError SESSION_NOT_FOUND */
  endSession(caller: Caller, sessionId: string): Promise<SessionView> {
    const { sessions, history } = this.#parts;
    const use: Use = { operation: "end_session", walletId: null, sessionId };
    return history.noted(caller, use, () => sessions.end(sessionId));
  }

  /**
   * Signs a message as it is.
   * @throws AppError INVALID_CREDENTIALS, RATE_LIMITED, WALLET_LOCKED, OUTSIDE_SCOPE, ACCOUNT_NOT_FOUND, SIGNING_REFUSED
   */
  signMessage(caller: Caller, walletId: string, body: SignBody): Promise<Signed> {
    const message = Buffer.from(body.message_base64, "base64");
    return this.#sign(caller, walletId, body, {
      operation: "sign_message",
      amount: 0n,
      sign: (unlocked) => unlocked.signMessage(message, body.address),
    });
  }

  /** Signs a document. @throws AppError as `signMessage`, and INVALID_PAYLOAD for what cannot be a signed document */
  signDocument(caller: Caller, walletId: string, body: SignDocumentBody): Promise<Signed> {
    // Checked by its schema: JSON.
    const document = body.document as JsonObject;
    const payload = canonicalizeSigned(document);
    const realm = fromHex("realm", body.realm);
    return this.#sign(caller, walletId, body, {
      operation: "sign_document",
      amount: amountOf(document),
      sign: (unlocked) => unlocked.signDocument({ type: "document", realm, payload }, body.address),
    });
  }

  #sign(
    caller: Caller,
    walletId: string,
    proof: Proof & { readonly address?: string | undefined },
    work: ToSign,
  ): Promise<Signed> {
    const { history, metrics } = this.#parts;
    const use: Use = { operation: work.operation, walletId };
    return history.noted(caller, use, async () => {
      const { wallet, signature } = await this.#withKeys(use, walletId, proof, work);
      metrics.signatures.inc({ operation: work.operation });
      return {
        wallet_id: walletId,
        public_key: publicKeyOf(wallet, proof.address),
        signature_base64: Buffer.from(signature).toString("base64"),
      };
    });
  }

  async #withKeys(
    use: Use,
    walletId: string,
    { password, session_token }: Proof,
    { operation, amount, sign }: ToSign,
  ): Promise<{ wallet: Wallet; signature: Uint8Array }> {
    const { deps, sessions } = this.#parts;
    if (session_token !== undefined) {
      const { sessionId, unlocked, giveBack } = sessions.use(walletId, session_token, operation, amount);
      use.sessionId = sessionId;
      try {
        return { wallet: unlocked.wallet, signature: await sign(unlocked) };
      } catch (error) {
        giveBack();
        throw error;
      }
    }
    const unlocked = await this.#tryPassword("sign", walletId, password ?? "", (secret) =>
      deps.signer.unlock(walletId, secret),
    );
    try {
      return { wallet: unlocked.wallet, signature: await sign(unlocked) };
    } finally {
      await unlocked.lock();
    }
  }

  /** Counts a call and tries its password. A wallet that is not there answers as a wrong password does. */
  async #tryPassword<T>(
    route: string,
    walletId: string,
    text: string,
    attempt: (password: SecretBytes) => Promise<T>,
  ): Promise<T> {
    const { deps, gate } = this.#parts;
    using password = SecretBytes.fromUtf8(text);
    try {
      const isThere = await deps.keystore.get(walletId).then(
        () => true,
        (error: unknown) => {
          if (error instanceof AppError && error.code === "WALLET_NOT_FOUND") return false;
          throw error;
        },
      );
      await gate.count(route, isThere ? walletId : NO_WALLET);
      if (!isThere) throw new AppError("WALLET_NOT_FOUND", "there is no such wallet");
      return await gate.attempt(walletId, () => attempt(password));
    } catch (error) {
      throw concealWallet(error);
    }
  }

  #view(wallet: Wallet): WalletView {
    const { wallet_id, public_key, address, accounts, metadata } = wallet;
    const unlocked = this.#parts.sessions.isUnlocked(wallet_id);
    return { wallet_id, public_key, address, accounts: [...accounts], metadata, unlocked };
  }
}

/** A session's time, never above the configuration's. */
function toMs(asked: number | undefined, limit: number): number {
  return Math.min(asked ?? limit, limit) * MS_PER_SECOND;
}

function toSecretKey(base64: string): SecretBytes {
  // Not Buffer.from(text, "base64"), whose bytes may lie in a slab that is shared with others.
  const bytes = Buffer.alloc(Buffer.byteLength(base64, "base64"));
  bytes.write(base64, "base64");
  return new SecretBytes(bytes);
}

/** Public key (hex) of the account that signed. */
function publicKeyOf(wallet: Wallet, address: string | undefined): string {
  const account = wallet.accounts.find((one) => one.address === address);
  return account?.public_key ?? wallet.public_key;
}
