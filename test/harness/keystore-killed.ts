/**
 * Changes a wallet's password and is killed at one step of the write: `DIRECTORY ACTION STEP before|after`. Steps
 * are the calls of the disk, counted from 0; a step past the last one kills nobody.
 */
import { type Disk, systemDisk } from "../../src/roles/wallet/keystore/files.ts";
import { GOOD_PASSWORD, keystoreIn, OTHER_PASSWORD, secret } from "./keystore.ts";

export type KilledWrite = readonly [
  directory: string,
  action: "create" | "change",
  step: string,
  when: "before" | "after",
];

// Written by the test that starts this program, as the type says.
const [directory, action, step, when] = process.argv.slice(2) as unknown as KilledWrite;
let calls = 0;

const killingDisk = new Proxy(systemDisk, {
  get(disk, name) {
    // Every member of a Disk is an asynchronous function.
    const call = Reflect.get(disk, name) as (...args: unknown[]) => Promise<unknown>;
    return async (...args: unknown[]) => {
      const isIt = calls++ === Number(step);
      if (isIt && when === "before") await die();
      const result = await call(...args);
      if (isIt && when === "after") await die();
      return result;
    };
  },
}) satisfies Disk;

/** The signal is on its way when `kill` returns: nothing more must happen until it arrives. */
function die(): Promise<never> {
  process.kill(process.pid, "SIGKILL");
  return new Promise(() => {});
}

const keystore = keystoreIn(directory, undefined, killingDisk);
if (action === "create") await keystore.create({ walletId: "new", password: secret(GOOD_PASSWORD) });
else await keystore.changePassword("main", secret(GOOD_PASSWORD), secret(OTHER_PASSWORD));
process.stdout.write(`${calls} steps\n`);
