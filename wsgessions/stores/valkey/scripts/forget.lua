#!lua flags=allow-oom
-- Remove members without a session from a principal's index. The session of a member that was announced less than `window`
-- ago may still come; if the score has changed since it was read, the session has come (E-9).
-- KEYS: index. ARGV: window, then members and the scores they had when they were read.
-- Returns the number of removed members.
local now, window, forgotten = clock(), tonumber(ARGV[1]), 0
for i = 2, #ARGV, 2 do
  local seen = tonumber(ARGV[i + 1])
  local announced = seen > now and seen <= now + window
  if not announced and tonumber(redis.call('ZSCORE', KEYS[1], ARGV[i])) == seen then
    forgotten = forgotten + redis.call('ZREM', KEYS[1], ARGV[i])
  end
end
return forgotten
