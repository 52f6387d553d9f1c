import { readdirSync, readFileSync } from "node:fs";
import { poll } from "./poll.ts";

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // The process has ended meanwhile.
    return "";
  }
}

/** Ids of the processes that a process has started and that still run; its zombies do not. */
export function childrenOf(pid: number | "self"): number[] {
  const tasks = `/proc/${pid}/task`;
  const ids = readdirSync(tasks).flatMap((task) =>
    read(`${tasks}/${task}/children`).split(" ").filter(Boolean),
  );
  return ids.map(Number).filter((id) => isRunning(id));
}

/** Whether a process runs or sleeps; a zombie does neither. */
export function isRunning(pid: number): boolean {
  const state = /\) (\S)/.exec(read(`/proc/${pid}/stat`))?.[1];
  return state !== undefined && state !== "Z" && state !== "X";
}

/** Waits until a process that is not this one's child has ended: the system has no event for it. */
export async function gone(pid: number): Promise<void> {
  await poll(
    () => isRunning(pid),
    (runs) => !runs,
  );
}
