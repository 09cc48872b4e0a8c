#!lua flags=allow-oom
-- Take members out of a principal's index of which no session was found. One that was announced less than `window` ago may
-- still come, and one whose score has changed since it was read has come (E-9).
-- KEYS: index. ARGV: window, then members and the scores they had when they were read.
-- Returns how many were taken out.
local now, window, forgotten = clock(), tonumber(ARGV[1]), 0
for i = 2, #ARGV, 2 do
  local seen = tonumber(ARGV[i + 1])
  local announced = seen > now and seen <= now + window
  if not announced and tonumber(redis.call('ZSCORE', KEYS[1], ARGV[i])) == seen then
    forgotten = forgotten + redis.call('ZREM', KEYS[1], ARGV[i])
  end
end
return forgotten
