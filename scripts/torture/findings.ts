/** Findings shown; more of them tell no more. */
const MAX_SHOWN = 20;

/** What the torture found wrong. Nothing found is the only good result. */
export class Findings {
  readonly #shown: string[] = [];
  #count = 0;

  add(finding: string): void {
    this.#count++;
    if (this.#shown.length < MAX_SHOWN) this.#shown.push(finding);
  }

  /** Adds a finding unless the condition holds. */
  expect(holds: boolean, finding: string): void {
    if (!holds) this.add(finding);
  }

  get count(): number {
    return this.#count;
  }

  /** One line a finding, and how many were left out. */
  lines(): string[] {
    const more = this.#count - this.#shown.length;
    return more > 0 ? [...this.#shown, `… and ${more} more`] : [...this.#shown];
  }
}
