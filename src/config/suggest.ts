/** A name is a likely slip of another one when at most this share of its characters differs … */
const MAX_SHARE = 0.34;
/** … and two may always differ. */
const MIN_EDITS = 2;

/** Edits (insert, delete, replace, swap of neighbours) between two words: the optimal string alignment distance. */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (last[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      let best = Math.min(replaced, (last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1);
      if (a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) best = Math.min(best, (before[j - 2] ?? best) + 1);
      row.push(best);
    }
    before = last;
    last = row;
  }
  return last[b.length] ?? 0;
}

/**
 * Finds what was probably meant. `known` are dotted keys; the right last part in the wrong section counts as
 * near, because that is how people misplace a setting.
 */
export function suggest(unknown: string, known: Iterable<string>): string | undefined {
  const lastPart = unknown.slice(unknown.lastIndexOf(".") + 1);
  let best: { key: string; edits: number } | undefined;
  for (const key of known) {
    const samePart = key.slice(key.lastIndexOf(".") + 1) === lastPart;
    const edits = samePart ? 0 : editDistance(unknown, key);
    const allowed = Math.max(MIN_EDITS, Math.floor(unknown.length * MAX_SHARE));
    if (edits <= allowed && (!best || edits < best.edits)) best = { key, edits };
  }
  return best?.key;
}
