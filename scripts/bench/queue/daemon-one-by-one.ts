/** The daemon with the baseline's commits: `node daemon-one-by-one.ts DATA_DIR PORT`. Ends with its parent's signal. */
import { startDaemon } from "../../../src/app/daemon.ts";
import { loadConfig } from "../../../src/config/load.ts";
import { createLog } from "../../../src/kernel/log.ts";
import { ONE_BY_ONE } from "./coordinator.ts";

const [, , dataDir = "", port = ""] = process.argv;
const flags = { data_dir: dataDir, roles: "coordinator", "http.port": port, "log.level": "warn" };
const { config } = loadConfig({
  env: process.env,
  cwd: process.cwd(),
  flags: Object.entries(flags).map(([key, text]) => ({ key, text, flag: key })),
  file: null,
});
const log = createLog({ level: "warn", format: "json", terminal: false });
const daemon = await startDaemon({ config, log, batch: ONE_BY_ONE });
process.once("SIGTERM", () => void daemon.stop().then(() => process.exit(0)));
