/** Callers that work at once: what the targets are written for. */
export const CALLERS = 64;
/** The part of a run that comes before it, unmeasured: code and caches get warm. */
const WARM_UP = 0.1;

/**
 * Lets `callers` callers call one after the other for some seconds; calls that ended in a second. An error of
 * a call ends the measurement.
 */
export async function measureRate(
  seconds: number,
  call: (caller: number) => Promise<unknown>,
  callers = CALLERS,
): Promise<number> {
  const start = performance.now() + seconds * WARM_UP * 1000;
  const end = start + seconds * 1000;
  let ended = 0;
  const work = async (caller: number): Promise<void> => {
    for (;;) {
      await call(caller);
      const now = performance.now();
      if (now >= end) return;
      if (now >= start) ended++;
    }
  };
  await Promise.all(Array.from({ length: callers }, (_, caller) => work(caller)));
  return ended / seconds;
}
