import { utf8 } from "../../../crypto/bytes.ts";
import type { SecretBytes } from "../../../crypto/secret-bytes.ts";
import { AppError } from "../../../kernel/errors.ts";
import { Semaphore } from "../../../kernel/semaphore.ts";
import type { Wallet } from "../keystore/keystore.ts";
import { type Answer, SignerChildProcess } from "./child-process.ts";
import type { Signer, UnlockedWallet } from "./signer.ts";

/** Unlocked wallets at a time: each is a process of some 70 MB. */
const MAX_UNLOCKED = 16;

/**
 * Processes that hash a password at the same time. A process hashes one, so this is what keeps many unlocks from
 * taking 64 MiB and a processor each.
 */
const MAX_HASHING = 2;
/** Calls that wait for their turn: some ten seconds' worth. */
const MAX_WAITING = 64;

/** Starts processes that open keystore files, a bounded number at a time. */
export class SignerProcesses {
  readonly #command: readonly string[];
  readonly #hashing = new Semaphore(MAX_HASHING, MAX_WAITING);

  /** `command`: the program and its arguments. */
  constructor(command: readonly string[]) {
    this.#command = command;
  }

  /**
   * Runs work that starts a process for calls with a password, in its turn. Whoever starts it kills it.
   * @throws AppError LIMIT_EXCEEDED when too many wait already
   */
  run<T>(work: (start: () => SignerChildProcess) => Promise<T>): Promise<T> {
    return this.#hashing.run(() => work(() => new SignerChildProcess(this.#command)));
  }
}

/** Unlocks wallets, each in a process of its own. */
export class ProcessSigner implements Signer {
  readonly #processes: SignerProcesses;
  readonly #unlocked = new Set<SignerChildProcess>();

  constructor(processes: SignerProcesses) {
    this.#processes = processes;
  }

  unlock(walletId: string, password: SecretBytes): Promise<UnlockedWallet> {
    return this.#processes.run(async (start) => {
      if (this.#unlocked.size >= MAX_UNLOCKED) {
        throw new AppError("LIMIT_EXCEEDED", `${MAX_UNLOCKED} wallets are unlocked; lock one first`);
      }
      const child = start();
      this.#unlocked.add(child);
      void child.exited.then(() => this.#unlocked.delete(child));
      try {
        const { result } = await child.call({ call: "unlock", wallet_id: walletId }, [password.bytes]);
        // The child is this program, and writes what the type says.
        return unlockedWallet(child, result as Wallet);
      } catch (error) {
        await child.kill();
        throw error;
      }
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#unlocked].map((child) => child.kill()));
  }
}

function unlockedWallet(child: SignerChildProcess, wallet: Wallet): UnlockedWallet {
  const ofAccount = (address: string | undefined) => (address === undefined ? {} : { address });
  return {
    wallet,
    pid: child.pid,
    ended: child.exited,
    signMessage: async (message, address) =>
      signatureOf(await child.call({ call: "sign_message", ...ofAccount(address) }, [message])),
    signDocument: async ({ type, realm, payload }, address) =>
      signatureOf(
        await child.call({ call: "sign_document", type, ...ofAccount(address) }, [realm, utf8(payload)]),
      ),
    lock: () => child.kill(),
  };
}

function signatureOf({ parts: [signature] }: Answer): Uint8Array {
  if (signature === undefined) throw new AppError("SIGNER_FAILED", "the signer answered without a signature");
  return signature;
}
