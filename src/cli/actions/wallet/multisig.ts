import { resolve } from "node:path";
import { fromHex, toBase64Url } from "../../../crypto/bytes.ts";
import { PUBLIC_KEY_BYTES } from "../../../crypto/ed25519.ts";
import { createPolicy } from "../../../domain/multisig/policy.ts";
import {
  addSignature,
  type ContentType,
  combineProposal,
  formatProposal,
  mergeProposals,
  type Proposal,
  parseProposal,
  proposeDocument,
  proposeTransaction,
  verifyCombined,
} from "../../../domain/multisig/proposal.ts";
import { AppError } from "../../../kernel/errors.ts";
import { parseJson } from "../../../kernel/json.ts";
import type { JsonObject } from "../../../kernel/json-value.ts";
import { wallet } from "../../../roles/wallet/index.ts";
import { formatRecord, printResult } from "../../format.ts";
import { type Io, writeLine } from "../../io.ts";
import type { GlobalOptions } from "../../options.ts";
import { writeNewFile } from "./files.ts";
import { parseRealm, readBounded } from "./message.ts";
import { openKeystore } from "./open.ts";
import { type PasswordOptions, readPassword } from "./secrets.ts";
import { decode } from "./sign.ts";

export interface PolicyOptions extends GlobalOptions {
  readonly threshold: number;
  readonly signer: readonly string[];
}

/** Prints the address of an account of several keys. Nothing is stored: the keys and the threshold are the account. */
export async function createMultisig(io: Io, options: PolicyOptions): Promise<void> {
  const { policy, address } = readPolicyOptions(options);
  const value = { address, threshold: policy.threshold, public_keys: policy.public_keys };
  await printResult(io, options.output ?? "table", value, () => formatRecord(Object.entries(value)));
}

function readPolicyOptions({ threshold, signer }: PolicyOptions) {
  return createPolicy(
    threshold,
    signer.map((key) => decode("--signer", key, PUBLIC_KEY_BYTES)),
  );
}

export interface ProposeOptions extends Partial<PolicyOptions> {
  readonly document?: string;
  readonly transaction?: string;
  readonly realm: string;
  readonly file?: string;
}

/** Writes a proposal for the signers of an account to pass around. */
export async function proposeMultisig(io: Io, options: ProposeOptions): Promise<void> {
  await putProposal(io, await readProposed(io, options), options);
}

async function readProposed(io: Io, options: ProposeOptions): Promise<Proposal> {
  const { document, transaction, threshold, signer } = options;
  const realm = parseRealm(options.realm);
  if (transaction !== undefined && document === undefined) {
    return proposeTransaction(await readObject(io, transaction), realm);
  }
  if (document === undefined || transaction !== undefined) {
    throw new AppError("INVALID_ARGUMENT", "one of --document and --transaction");
  }
  if (threshold === undefined || signer === undefined) {
    throw new AppError("INVALID_ARGUMENT", "--document needs --threshold and each --signer");
  }
  const { policy } = readPolicyOptions({ threshold, signer });
  return proposeDocument(policy, await readObject(io, document), realm);
}

export interface SignMultisigOptions extends GlobalOptions, PasswordOptions {
  readonly account?: string;
  readonly file?: string;
}

/** Adds a wallet's signature to a proposal. What is signed is shown before the password is asked for. */
export async function signMultisig(
  io: Io,
  walletId: string,
  file: string,
  options: SignMultisigOptions,
): Promise<void> {
  const { AccountSigner } = await wallet.loadOffline();
  const proposal = parseProposal(await readText(io, file));
  const { type, realm, text } = proposal;
  writeLine(io.stderr, `signing for ${proposal.address}:`);
  if (type === "tx") await explain(io, text);
  writeLine(io.stderr, text);
  const keystore = await openKeystore(io, options);
  using password = await readPassword(io, options);
  const signer = await AccountSigner.open(keystore, walletId, password);
  const mine = signer.wallet.accounts.filter(
    ({ address, public_key }) =>
      (options.account === undefined || options.account === address) && isSigner(proposal, public_key),
  );
  const [account] = mine;
  if (account?.public_key == null) {
    throw new AppError("ACCOUNT_NOT_FOUND", `the wallet has no key among the signers of ${proposal.address}`);
  }
  const signature = await signer.signDocument({ type, realm, payload: text }, account.address);
  await putProposal(io, addSignature(proposal, fromHex("key", account.public_key), signature), options);
}

/** Says what a transaction does, and what it can cost, before it is signed. @throws AppError when it is none */
async function explain(io: Io, text: string): Promise<void> {
  const { explainTransaction } = await import("../../../domain/ledger/explain.ts");
  const { parseTransactionContent } = await import("../../../domain/ledger/transaction.ts");
  for (const line of explainTransaction(parseTransactionContent(text)).lines) writeLine(io.stderr, line);
}

function isSigner({ policy }: Proposal, publicKey: string | null): boolean {
  return publicKey !== null && policy.public_keys.includes(toBase64Url(fromHex("key", publicKey)));
}

export interface CombineOptions extends GlobalOptions {
  readonly file?: string;
}

/** Puts together what several signers have signed, once they are enough. */
export async function combineMultisig(
  io: Io,
  files: readonly string[],
  options: CombineOptions,
): Promise<void> {
  const proposals = await Promise.all(files.map(async (file) => parseProposal(await readText(io, file))));
  await put(io, combineProposal(mergeProposals(proposals)), options.file);
}

export interface VerifyMultisigOptions extends GlobalOptions {
  readonly realm: string;
  readonly type: ContentType;
}

/** Verifies a combined document or transaction; fails unless all of its account's signatures hold. */
export async function verifyMultisig(io: Io, file: string, options: VerifyMultisigOptions): Promise<void> {
  const text = await readText(io, file);
  const { address, policy, signatures } = verifyCombined(options.type, parseRealm(options.realm), text);
  const signers = signatures.map(({ signer }) => policy.public_keys[signer]);
  const value = { valid: true, address, threshold: policy.threshold, signers };
  await printResult(io, options.output ?? "table", value, () => `VALID: signed for ${address}`);
}

async function putProposal(io: Io, proposal: Proposal, { file }: { readonly file?: string }): Promise<void> {
  const { policy, signatures, address } = proposal;
  await put(io, formatProposal(proposal), file);
  writeLine(io.stderr, `${signatures.length} of ${policy.threshold} signatures for ${address}`);
}

/** Writes a text to stdout, or to a new file. */
async function put(io: Io, text: string, file: string | undefined): Promise<void> {
  if (file === undefined) io.stdout.write(`${text}\n`);
  else await writeNewFile(resolve(io.cwd, file), Buffer.from(`${text}\n`));
}

const readText = async (io: Io, file: string): Promise<string> =>
  new TextDecoder().decode(await readBounded(io, file));

async function readObject(io: Io, file: string): Promise<JsonObject> {
  const value = parseJson(await readText(io, file));
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  throw new AppError("INVALID_PAYLOAD", `${file} does not hold a JSON object`);
}
