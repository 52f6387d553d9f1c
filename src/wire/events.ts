/**
 * Events on the process-local bus. All of them are nudges, emitted after commit and at most once: whoever
 * needs certainty reads the row. The guarantee beside each event says how a lost one is made good.
 */
export interface BusEvents {
  /** A job waits for a miner. Lost: the dispatcher's sweep finds it within a second. */
  "job.queued": { readonly job_id: string; readonly requirement_id: number };
  /** A miner has the lease. Lost: `GET /v1/jobs/{id}` shows it. */
  "job.started": { readonly job_id: string; readonly miner_id: string; readonly token: number };
  /** A job has reached a final state. Lost: the row and the stream's `end` show it. */
  "job.ended": { readonly job_id: string; readonly state: string };
  /** A receipt is stored. Lost: receipts are listed from their table. */
  "receipt.issued": { readonly job_id: string; readonly receipt_id: string };
  /** A miner's session is open. Lost: the next heartbeat shows it. */
  "miner.connected": { readonly miner_id: string };
  /** A miner says anew what it can do. Lost: its profile shows it. */
  "miner.updated": { readonly miner_id: string };
  /** A miner's session has closed. Lost: its leases run out. */
  "miner.disconnected": { readonly miner_id: string };
  /** An API key was revoked. Lost: keys are read again within five seconds. */
  "key.revoked": { readonly key_id: string };
  /** A wallet was created. Lost: the keystore lists it. */
  "wallet.created": { readonly wallet_id: string };
  /** A session that may use a wallet's keys is open. Lost: the wallet lists its sessions, and `wallet_event` keeps it. */
  "wallet.unlocked": { readonly wallet_id: string; readonly session_id: string };
  /** A wallet's keys are out of memory. Lost: as above. */
  "wallet.locked": { readonly wallet_id: string; readonly reason: string };
  /** Receipts of a job were read and checked. Lost: `wallet_job` has the same, and `wallet_event` keeps it. */
  "receipts.verified": {
    readonly job_id: string;
    readonly receipts: number;
    readonly all_verified: boolean;
    readonly failure_reasons: readonly string[];
  };
}
