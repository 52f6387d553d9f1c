import { AppError } from "../kernel/errors.ts";
import { isLoopback } from "../kernel/loopback.ts";
import { readSecretFile } from "../kernel/secret-file.ts";
import { dataPaths } from "./data-paths.ts";
import type { Config } from "./schema.ts";

type KeyKind = NonNullable<Config["client"]["role"]>;

/**
 * Finds the API key for a call: the configured one, its file, or the key that the first start of a daemon
 * wrote into this machine's data directory. The last is sent to this machine only, never to another host.
 * @throws AppError DATA_UNWRITABLE when a key file cannot be read, INVALID_CONFIG when a named one is missing
 */
export async function findApiKey(
  config: Pick<Config, "client" | "data_dir">,
  kind: KeyKind,
  url: string = config.client.url,
): Promise<string | undefined> {
  const { api_key, api_key_file, role } = config.client;
  if (api_key !== undefined) return api_key;
  if (api_key_file !== undefined) {
    const key = await readSecretFile(api_key_file);
    if (key) return key;
    throw new AppError("INVALID_CONFIG", `client.api_key_file names ${api_key_file}, which holds no key`);
  }
  if (!isLoopback(url)) return undefined;
  return readSecretFile(dataPaths(config.data_dir).keyFile(role ?? kind));
}
