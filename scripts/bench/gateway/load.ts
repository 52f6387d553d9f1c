import { join } from "node:path";
import { run } from "../queue/program.ts";

/** What the generator does. */
export interface Load {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly model: string;
  /** Streams open at once. */
  readonly streams: number;
  readonly warmSeconds: number;
  readonly seconds: number;
  /** Callers begin spread over this time. */
  readonly spreadMs: number;
}

/** What it saw. Times of tokens are from the upstream's write to the reader. */
export interface LoadReport {
  readonly streams: number;
  /** Pieces that arrived within the seconds that count. */
  readonly chunks: number;
  /** Server-sent events that brought them. */
  readonly events: number;
  readonly failures: number;
  readonly failure: string;
  readonly first_p50_ms: number;
  readonly first_p99_ms: number;
  readonly token_p50_ms: number;
  readonly token_p99_ms: number;
  readonly cpu_seconds: number;
}

/** Runs the generator in a process of its own. Throws when a stream failed. */
export async function generate(load: Load): Promise<LoadReport> {
  const command = [process.execPath, join(import.meta.dirname, "generator.ts"), JSON.stringify(load)];
  // The generator has written it.
  const report = JSON.parse(await run(command, {})) as LoadReport;
  if (report.failures > 0) throw new Error(`${report.failures} streams failed: ${report.failure}`);
  return report;
}
