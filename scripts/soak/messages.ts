/** What the processes of the soak tell one another over their IPC channels. */

/** What a generator is to be: which callers, how many, and of which daemon. */
export interface GeneratorPlan {
  readonly callers: "miners" | "clients";
  readonly count: number;
  /** Tells generators of the same callers apart. */
  readonly index: number;
  readonly url: string;
  readonly apiKey: string;
  readonly seed: number;
  /** Number of the round, and how long it lasts. */
  readonly round: number;
  readonly ms: number;
  /** All clients of all generators together: their think time grows with them. */
  readonly allClients: number;
}

/** What a generator answers when it is told to finish: everything that its callers began has ended. */
export interface GeneratorReport {
  readonly jobs: number;
  readonly findings: readonly string[];
}

/** What a daemon holds once its garbage is collected. */
export interface Holdings {
  /** Heap and what hangs on it, in MB. */
  readonly heapMb: number;
  readonly residentMb: number;
  /** Living objects that a leak would pile up, by their name. */
  readonly objects: Readonly<Record<string, number>>;
  /** What keeps its event loop alive, by kind. */
  readonly resources: Readonly<Record<string, number>>;
}
