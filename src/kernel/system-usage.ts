import { statfs } from "node:fs/promises";
import { cpus, freemem, loadavg, totalmem } from "node:os";

/** What the machine and this process use now. Percentages run from 0 to 100 with one decimal. */
export interface SystemUsage {
  /** All cores together, over the time since the look before. */
  readonly cpu_percent: number;
  readonly cpu_count: number;
  /** Over the last minute. */
  readonly load_average: number;
  readonly memory_percent: number;
  readonly memory_total_bytes: number;
  readonly memory_free_bytes: number;
  readonly process_memory_bytes: number;
  readonly disk_percent: number;
  readonly disk_total_bytes: number;
  readonly disk_free_bytes: number;
  readonly uptime_seconds: number;
}

/** Shorter times tell nothing: the system counts in steps of 10 ms. The last measure is shown again. */
const MIN_INTERVAL_MS = 250;

interface CpuTimes {
  readonly busy: number;
  readonly total: number;
}

function readCpuTimes(): CpuTimes {
  let busy = 0;
  let total = 0;
  for (const { times } of cpus()) {
    const all = times.user + times.nice + times.sys + times.idle + times.irq;
    busy += all - times.idle;
    total += all;
  }
  return { busy, total };
}

const percent = (part: number, whole: number): number =>
  whole <= 0 ? 0 : Math.round(Math.min(1, Math.max(0, part / whole)) * 1000) / 10;

/** Measures what the machine uses; `directory` names the disk. */
export class SystemProbe {
  readonly #directory: string;
  #times = readCpuTimes();
  #cpuPercent = 0;
  #at = performance.now();

  constructor(directory: string) {
    this.#directory = directory;
  }

  async read(): Promise<SystemUsage> {
    const disk = await statfs(this.#directory);
    const [memoryTotal, memoryFree] = [totalmem(), freemem()];
    return {
      cpu_percent: this.#readCpu(),
      cpu_count: cpus().length,
      load_average: Math.round((loadavg()[0] ?? 0) * 100) / 100,
      memory_percent: percent(memoryTotal - memoryFree, memoryTotal),
      memory_total_bytes: memoryTotal,
      memory_free_bytes: memoryFree,
      process_memory_bytes: process.memoryUsage.rss(),
      disk_percent: percent(disk.blocks - disk.bavail, disk.blocks),
      disk_total_bytes: disk.blocks * disk.bsize,
      disk_free_bytes: disk.bavail * disk.bsize,
      uptime_seconds: Math.floor(process.uptime()),
    };
  }

  #readCpu(): number {
    const now = performance.now();
    if (now - this.#at < MIN_INTERVAL_MS) return this.#cpuPercent;
    const times = readCpuTimes();
    this.#cpuPercent = percent(times.busy - this.#times.busy, times.total - this.#times.total);
    this.#times = times;
    this.#at = now;
    return this.#cpuPercent;
  }
}
