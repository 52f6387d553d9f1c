import type { JobPage } from "../../wire/job-lists.ts";
import { formatTable } from "../format.ts";

/** Characters of a time up to its seconds. */
const TIME_CHARACTERS = 19;

/** Lays a page of jobs out for people, and says what is not on it. */
export function formatJobPage(page: JobPage): string {
  const rows = page.items.map((job) => [
    job.job_id,
    job.state,
    job.kind,
    job.model,
    job.requested_at.slice(0, TIME_CHARACTERS),
    job.units,
    job.error,
  ]);
  const table = formatTable(["job", "state", "kind", "model", "requested", "units", "error"], rows);
  const total = `${page.items.length} of ${page.total}${page.total_is_lower_bound ? " or more" : ""}`;
  return page.next_cursor === null
    ? `${table}\n${total}`
    : `${table}\n${total}; more: --cursor ${page.next_cursor}`;
}
