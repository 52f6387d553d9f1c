import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
// The flag gives the function to contexts that are made after it.
const collect = runInNewContext("gc") as () => void;

/** Bytes that this process holds on to, on its heap and beside it. */
export function heldBytes(): number {
  collect();
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
