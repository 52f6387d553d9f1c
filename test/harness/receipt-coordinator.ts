import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";
import { buildReceipt } from "../../src/domain/receipt/build.ts";
import type { Receipt } from "../../src/domain/receipt/fields.ts";
import { attestReceipt, keyIdOf, signReceipt } from "../../src/domain/receipt/sign.ts";
import { COORDINATOR_KEY, MINER_KEY, OUTPUT, outcomeOf, TERMS } from "./receipts.ts";

export const COORDINATOR_KEY_ID = keyIdOf(COORDINATOR_KEY.publicKey);
export const MINER_KEY_ID = keyIdOf(MINER_KEY.publicKey);

/** A good receipt of a segment of a job: signed by the miner, attested by the coordinator. */
export function goodReceipt(jobId: string, token = 1): Receipt {
  const terms = { ...TERMS, job_id: jobId, token };
  const receipt = buildReceipt(terms, outcomeOf(terms, OUTPUT.length));
  return attestReceipt(signReceipt(receipt, MINER_KEY), COORDINATOR_KEY);
}

/** Id number `n` of a job; they sort by `n`, and the times in them lie a second apart. */
export function jobIdOf(n: number): string {
  return `${(1_795_000_000_000 + n * 1000).toString(16).padStart(12, "0")}70000000000000000000`;
}

interface Job {
  ended: boolean;
  receipts: Readonly<Record<string, unknown>>[];
}

const PAGE = 2;

/** A coordinator that has only what a test gives it: jobs, and receipts of any quality. */
export class ReceiptCoordinator {
  readonly jobs = new Map<string, Job>();
  /** Paths that were asked for, in order. */
  readonly asked: string[] = [];
  /** Answers a path with this status instead; none where it returns undefined. */
  fault: (path: string) => number | undefined = () => undefined;
  url = "";
  #close: () => void = () => {};

  /** Listens until the test ends. */
  static async start(port = 0): Promise<ReceiptCoordinator> {
    const coordinator = new ReceiptCoordinator();
    const server = createServer((request, response) => coordinator.#answer(request.url ?? "/", response));
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
    coordinator.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    coordinator.#close = () => {
      server.closeAllConnections();
      server.close();
    };
    onTestFinished(() => coordinator.stop());
    return coordinator;
  }

  stop(): void {
    this.#close();
  }

  /** Adds a job that has ended, with good receipts. */
  add(n: number, receipts = 1): string {
    const jobId = jobIdOf(n);
    const made = Array.from({ length: receipts }, (_, index) => goodReceipt(jobId, index + 1));
    this.jobs.set(jobId, { ended: true, receipts: made });
    return jobId;
  }

  #answer(target: string, response: ServerResponse): void {
    this.asked.push(target);
    const { pathname, searchParams } = new URL(target, "http://x");
    const status = this.fault(target);
    const [, , , jobId = "", part] = pathname.split("/");
    const job = this.jobs.get(jobId);
    if (status !== undefined) send(response, status, { status, code: "INTERNAL", title: "broken" });
    else if (jobId === "") send(response, 200, this.#list(searchParams.get("cursor")));
    else if (!job) send(response, 404, { status: 404, code: "JOB_NOT_FOUND", detail: "job not found" });
    else if (part === "receipts") send(response, 200, pageOf(job, Number(searchParams.get("cursor") ?? 0)));
    else send(response, 200, viewOf(jobId, job));
  }

  #list(before: string | null): object {
    const all = [...this.jobs.keys()].sort().reverse();
    const rest = before === null ? all : all.filter((id) => id < before);
    const page = rest.slice(0, PAGE);
    return {
      items: page.map((id) => viewOf(id, this.jobs.get(id) ?? { ended: true, receipts: [] })),
      total: all.length,
      total_is_lower_bound: false,
      limit: PAGE,
      offset: 0,
      next_cursor: rest.length > PAGE ? (page.at(-1) ?? null) : null,
    };
  }
}

function pageOf({ receipts }: Job, from: number): object {
  const items = receipts.slice(from, from + PAGE);
  const next = from + PAGE;
  return { items, next_cursor: next < receipts.length ? String(next) : null };
}

function viewOf(jobId: string, { ended }: Job): object {
  const time = new Date(1_795_000_000_000).toISOString();
  return {
    job_id: jobId,
    state: ended ? "COMPLETED" : "RUNNING",
    kind: "inference",
    model: "aitbc-tiny",
    priority: 1,
    assigned_miner_id: null,
    attempts: 1,
    max_attempts: 3,
    requested_at: time,
    expires_at: time,
    started_at: null,
    completed_at: null,
    answer_format: "text",
    delivered_bytes: 0,
    units: 0,
    price_uait: "0",
    error: null,
  };
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}
