import { open } from "node:fs/promises";
import { dirname } from "node:path";
import { AppError } from "../../../kernel/errors.ts";

/** Only its owner may read what leaves a wallet. */
const FILE_MODE = 0o600;

/**
 * Writes a file that is not there yet, and makes sure that it is on the disk.
 * @throws AppError DATA_UNWRITABLE; an existing file is never replaced
 */
export async function writeNewFile(path: string, bytes: Uint8Array): Promise<void> {
  try {
    await using file = await open(path, "wx", FILE_MODE);
    await file.writeFile(bytes);
    await file.sync();
    await using directory = await open(dirname(path), "r");
    await directory.sync();
  } catch (cause) {
    const exists = (cause as NodeJS.ErrnoException).code === "EEXIST";
    const why = exists
      ? "exists already, and is not replaced"
      : `cannot be written: ${(cause as Error).message}`;
    throw new AppError("DATA_UNWRITABLE", `${path} ${why}`, { cause });
  }
}
