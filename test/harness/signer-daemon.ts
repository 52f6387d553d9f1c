/**
 * A process that does with keys what the daemon does, for tests that look at its memory from outside. It is started
 * with `fork`, and told what to do: `DIRECTORY [here]`. With `here` it decrypts in its own memory, as no daemon must.
 */
import { AccountSigner } from "../../src/roles/wallet/signing/account-signer.ts";
import { GOOD_PASSWORD, keystoreIn, secret } from "./keystore.ts";
import { signerIn } from "./signer.ts";

export type Order =
  | { readonly do: "create"; readonly walletId: string }
  | { readonly do: "unlock" | "lock" | "sign"; readonly walletId: string };

const [directory = "", here] = process.argv.slice(2);
const { keystore, signer } = signerIn(directory);
const unlocked = new Map<string, { pid: number; sign(): Promise<unknown>; lock(): Promise<void> }>();
const message = new TextEncoder().encode("hello");

async function unlock(walletId: string): Promise<number> {
  using password = secret(GOOD_PASSWORD);
  if (here !== undefined) {
    const own = await AccountSigner.open(keystoreIn(directory), walletId, password);
    unlocked.set(walletId, {
      pid: process.pid,
      sign: () => own.signMessage(message),
      lock: async () => {},
    });
    return process.pid;
  }
  const wallet = await signer.unlock(walletId, password);
  unlocked.set(walletId, {
    pid: wallet.pid,
    sign: () => wallet.signMessage(message),
    lock: () => wallet.lock(),
  });
  return wallet.pid;
}

async function obey(order: Order): Promise<number> {
  const { walletId } = order;
  if (order.do === "unlock") return unlock(walletId);
  if (order.do === "create") {
    using password = secret(GOOD_PASSWORD);
    await keystore.create({ walletId, password });
    return 0;
  }
  const wallet = unlocked.get(walletId);
  if (order.do === "sign") await wallet?.sign();
  else {
    await wallet?.lock();
    unlocked.delete(walletId);
  }
  return 0;
}

process.on("message", (order: Order) => {
  obey(order).then(
    (pid) => process.send?.({ pid }),
    (error: unknown) => process.send?.({ error: String(error) }),
  );
});
