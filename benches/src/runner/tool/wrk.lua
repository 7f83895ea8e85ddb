-- Before this: method, depth, headers, body, paths.
local requests = {}

function init(args)
   math.randomseed(os.time())
   for place, path in ipairs(paths) do
      requests[place] = wrk.format(method, path, headers, body)
   end
   all = string.rep(requests[1], depth)
end

-- wrk sees by this text how many requests are on their way at a time.
function request()
   if #requests == 1 then
      return all
   end
   local some = {}
   for place = 1, depth do
      some[place] = requests[math.random(#requests)]
   end
   return table.concat(some)
end

function done(summary, latency)
   local errors = summary.errors
   -- Of few answers a percentile beyond them all is 0.
   local function at(share)
      local time = latency:percentile(share)
      return time > 0 and time or latency.max
   end
   local lost = errors.connect + errors.read + errors.write + errors.timeout
   io.write(string.format(
      'RESULT {"duration_us":%d,"requests":%d,"non_2xx":%d,"errors":%d,"mean":%.3f,"p50":%.3f,"p75":%.3f,"p90":%.3f,"p95":%.3f,"p99":%.3f,"p99_9":%.3f,"max":%.3f}\n',
      summary.duration, summary.requests, errors.status, lost, latency.mean,
      at(50), at(75), at(90), at(95), at(99), at(99.9), latency.max))
end
