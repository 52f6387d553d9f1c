-- One submission a request, each with an Idempotency-Key of its own. Arguments: the API key, the body.
local sent = 0
local run

function init(args)
  run = string.format("%x-%x", os.time(), math.random(1, 2 ^ 30))
  wrk.method = "POST"
  wrk.path = "/v1/jobs"
  wrk.body = args[2]
  wrk.headers["Content-Type"] = "application/json"
  wrk.headers["X-Api-Key"] = args[1]
end

function request()
  sent = sent + 1
  wrk.headers["Idempotency-Key"] = "bench-" .. run .. "-" .. sent
  return wrk.format()
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    "\n{\"requests\":%d,\"seconds\":%f,\"errors\":%d,\"p50_ms\":%f,\"p99_ms\":%f}\n",
    summary.requests, summary.duration / 1e6,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
