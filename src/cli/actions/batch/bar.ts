const BAR_CELLS = 24;
const MS_PER_SECOND = 1000;

/** A progress line: a bar, how many, how fast, how long still, and how many failed. `since`: done before that time. */
export function formatBar(
  { total, done, failed, since }: { total: number; done: number; failed: number; since: number },
  elapsedMs: number,
): string {
  const filled = total === 0 ? 0 : Math.floor((done / total) * BAR_CELLS);
  const rate = (done - since) / Math.max(elapsedMs / MS_PER_SECOND, 1 / MS_PER_SECOND);
  const left = rate > 0 ? ` · ${Math.ceil((total - done) / rate)} s left` : "";
  const bar = `${"█".repeat(filled)}${"░".repeat(BAR_CELLS - filled)}`;
  const speed = rate >= 10 || rate === 0 ? rate.toFixed(0) : rate.toFixed(1);
  return `${bar} ${done}/${total} · ${speed}/s${left}${failed > 0 ? ` · ${failed} failed` : ""}`;
}
