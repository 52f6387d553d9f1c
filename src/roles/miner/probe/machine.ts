import { statfs } from "node:fs/promises";
import { cpus, totalmem } from "node:os";
import type { MinerCapabilities } from "../../../wire/session.ts";
import { printable } from "./gpu.ts";

const BYTES_PER_MB = 1024 * 1024;
/** Longest processor name that a frame carries, in characters. */
const MAX_CPU_NAME = 128;

/** Processor and memory of this machine. */
export function probeMachine(): Pick<MinerCapabilities, "cpu" | "memory_mb"> {
  const processors = cpus();
  return {
    cpu: {
      name: printable(processors[0]?.model ?? "", MAX_CPU_NAME),
      cores: Math.max(1, processors.length),
    },
    memory_mb: Math.floor(totalmem() / BYTES_PER_MB),
  };
}

/** Free space where a directory lies, in MiB, as far as this user may fill it; undefined where nobody can tell. */
export async function probeDisk(directory: string): Promise<number | undefined> {
  try {
    const { bavail, bsize } = await statfs(directory);
    return Math.floor((bavail * bsize) / BYTES_PER_MB);
  } catch {
    return undefined;
  }
}
