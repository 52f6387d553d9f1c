import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";
import { AppError } from "../../../kernel/errors.ts";
import { BACKENDS, type Backend } from "./frames.ts";

/** node-llama-cpp as it lies on a disk. */
export interface LlamaRuntime {
  readonly version: string;
  /** Its entry module. */
  readonly entry: string;
  /** The GPU backends whose packages lie beside it, for this platform, best first. */
  readonly backends: readonly Backend[];
}

const Package = z.object({ name: z.string(), version: z.string(), main: z.string() });
const NAME = "node-llama-cpp";

/** node-llama-cpp's names for the platforms, where they are not Node's. */
const PLATFORMS: Readonly<Record<string, string>> = { darwin: "mac", win32: "win" };

/**
 * Finds node-llama-cpp in a folder: one in which it was installed, its `node_modules`, or the package itself.
 * @throws AppError ENGINE_UNAVAILABLE when the folder holds none; says where it was looked for
 */
export function findLlamaRuntime(folder: string): LlamaRuntime {
  const places = [join(folder, "node_modules", NAME), join(folder, NAME), folder];
  for (const place of places) {
    const found = readPackage(join(place, "package.json"));
    if (found?.name !== NAME) continue;
    const { version, main } = found;
    return { version, entry: join(place, main), backends: listBackends(dirname(place)) };
  }
  throw new AppError(
    "ENGINE_UNAVAILABLE",
    `miner.engines.llama.path: ${folder} holds no ${NAME} (looked for ${places.join(", ")}); install it with: npm install --prefix ${folder} ${NAME}`,
  );
}

function readPackage(file: string): z.infer<typeof Package> | undefined {
  try {
    return Package.parse(JSON.parse(readFileSync(file, "utf8")));
  } catch {
    return undefined;
  }
}

/** The packages beside node-llama-cpp are named `linux-x64-cuda`, `mac-arm64-metal`, … */
function listBackends(modules: string): readonly Backend[] {
  const scope = join(modules, "@node-llama-cpp");
  const names = existsSync(scope) ? readdirSync(scope) : [];
  const platform = `${PLATFORMS[process.platform] ?? process.platform}-${process.arch}`;
  return BACKENDS.filter((backend) => names.includes(`${platform}-${backend}`));
}
