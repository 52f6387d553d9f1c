import { writeFileSync } from "node:fs";
import { fromUtf8 } from "../../../crypto/bytes.ts";
import { SecretBytes } from "../../../crypto/secret-bytes.ts";
import { AppError, toAppError } from "../../../kernel/errors.ts";
import type { FileKeystore } from "../keystore/file-keystore.ts";
import type { NewSecret } from "../keystore/keystore.ts";
import { AccountSigner } from "../signing/account-signer.ts";
import { type Call, Request, type Response } from "./calls.ts";
import { encodeFrame, type Frame, FrameReader } from "./frames.ts";
import type { DocumentToSign } from "./signer.ts";

/** The pipes to the daemon. */
export interface ChildPipes {
  readonly input: NodeJS.ReadableStream;
  readonly output: NodeJS.WritableStream;
}

/**
 * The process that holds keys: reads and decrypts keystore files itself, answers one call after the other, and ends
 * with its parent. Returns at once.
 */
export function runSignerChild(keystore: FileKeystore, { input, output }: ChildPipes): void {
  // A service manager signals every process of the service. The parent decides when keys go.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});
  keepOutOfCoreDumps();
  const child = new SignerChild(keystore);
  const reader = new FrameReader();
  // The parent is gone, however it went. A hash may still be under way on a thread: only SIGKILL surely ends it.
  const end = (): void => void process.kill(process.pid, "SIGKILL");
  input.on("end", end).on("close", end).on("error", end);
  output.on("error", end);
  const answer = async (frame: Frame): Promise<void> => {
    const bytes = encodeFrame(await child.answer(frame));
    output.write(bytes, () => bytes.fill(0));
  };
  input.on("data", (chunk: Buffer) => {
    try {
      for (const frame of reader.push(chunk)) answer(frame).catch(giveUp);
    } catch (error) {
      giveUp(error);
    }
  });
}

/** The parent does not say what it means: it has to start another process. */
function giveUp(error: unknown): never {
  process.stderr.write(`${toAppError(error).message}\n`);
  process.exit(1);
}

/** Leaves all memory out of a dump (core(5)), where the system has the setting. */
function keepOutOfCoreDumps(): void {
  try {
    writeFileSync("/proc/self/coredump_filter", "0");
  } catch {
    // Not Linux: whether there are dumps is the owner's choice.
  }
}

interface Answer {
  readonly result?: unknown;
  readonly parts?: readonly Uint8Array[];
}

class SignerChild {
  readonly #keystore: FileKeystore;
  #signer: AccountSigner | undefined;

  constructor(keystore: FileKeystore) {
    this.#keystore = keystore;
  }

  /** Answers a call; what it fails with is an answer too. @throws AppError PROTOCOL_VIOLATION for no call */
  async answer({ head, parts }: Frame): Promise<Frame> {
    const request = Request.safeParse(head);
    if (!request.success) throw new AppError("PROTOCOL_VIOLATION", "a call that the signer does not know");
    const { id, call } = request.data;
    const secrets = parts.map((part) => new SecretBytes(part));
    try {
      const { result = null, parts: answered = [] } = await this.#run(call, secrets);
      return { head: { id, result } satisfies Response, parts: answered };
    } catch (thrown) {
      const { code, message: detail, meta } = toAppError(thrown);
      return { head: { id, error: { code, detail, meta } }, parts: [] };
    } finally {
      for (const secret of secrets) secret[Symbol.dispose]();
    }
  }

  async #run(call: Call, parts: readonly SecretBytes[]): Promise<Answer> {
    switch (call.call) {
      case "unlock":
        this.#signer = await AccountSigner.open(this.#keystore, call.wallet_id, part(parts, 0));
        return { result: this.#signer.wallet };
      case "sign_message":
        return { parts: [await this.#unlocked().signMessage(part(parts, 0).bytes, call.address)] };
      case "sign_document":
        return { parts: [await this.#signDocument(call.type, parts, call.address)] };
      default:
        return runKeystoreCall(this.#keystore, call, parts);
    }
  }

  #signDocument(
    type: DocumentToSign["type"],
    parts: readonly SecretBytes[],
    address?: string,
  ): Promise<Uint8Array> {
    const realm = part(parts, 0).bytes;
    const payload = fromUtf8("payload", part(parts, 1).bytes);
    return this.#unlocked().signDocument({ type, realm, payload }, address);
  }

  #unlocked(): AccountSigner {
    if (this.#signer === undefined) throw new AppError("WALLET_LOCKED", "the wallet is not unlocked");
    return this.#signer;
  }
}

type KeystoreCall = Exclude<Call, { call: "unlock" | "sign_message" | "sign_document" }>;

async function runKeystoreCall(
  keystore: FileKeystore,
  call: KeystoreCall,
  parts: readonly SecretBytes[],
): Promise<Answer> {
  const password = part(parts, 0);
  switch (call.call) {
    case "create":
      return { result: await create(keystore, call, parts) };
    case "change_password":
      return { result: await keystore.changePassword(call.wallet_id, password, part(parts, 1)) };
    case "add_account":
      return { result: await keystore.addAccount(call.wallet_id, password, call.label) };
    case "watch":
      return { result: await keystore.watch(call.wallet_id, password, call.address, call.label) };
    case "unwatch":
      return { result: await keystore.unwatch(call.wallet_id, password, call.address) };
    case "set_label":
      return { result: await keystore.setLabel(call.wallet_id, password, call.address, call.label) };
    case "export_phrase":
      return { parts: [(await keystore.exportPhrase(call.wallet_id, password)).bytes] };
    case "export_key":
      return { parts: [(await keystore.exportKey(call.wallet_id, password, call.address)).bytes] };
    case "export_file":
      return { parts: [await keystore.exportFile(call.wallet_id, password)] };
    case "delete":
      return { result: await keystore.delete(call.wallet_id, password) };
    case "import_file":
      return { result: await keystore.importFile(part(parts, 1).bytes, password, call.wallet_id) };
  }
}

function create(
  keystore: FileKeystore,
  { wallet_id: walletId, metadata, secret: kind }: Extract<Call, { call: "create" }>,
  parts: readonly SecretBytes[],
) {
  const options = { walletId, password: part(parts, 0), metadata };
  if (kind === undefined) return keystore.create(options);
  const given = part(parts, 1);
  const secret: NewSecret = kind === "phrase" ? { kind, phrase: given } : { kind, key: given };
  return keystore.create({ ...options, secret });
}

function part(parts: readonly SecretBytes[], index: number): SecretBytes {
  const found = parts[index];
  if (found === undefined) throw new AppError("PROTOCOL_VIOLATION", `the call lacks its part ${index}`);
  return found;
}
