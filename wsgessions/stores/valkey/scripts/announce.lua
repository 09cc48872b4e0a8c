#!lua
-- Announce a session that is about to be bound in its principal's index: readers of the index find it from now on, and
-- do not treat it as an orphan before `window` is over (E-9).
-- The index lives for a day at least; confirming a member makes it live as long as that.
-- KEYS: index. ARGV: member, window, not after.
-- Returns members with a score in the past, with their scores: announced and never confirmed, or past their deadline; or
-- {TOO_LATE, now} if the caller does not wait any more (C-20).
local now, window = clock(), tonumber(ARGV[2])
if now > tonumber(ARGV[3]) then return {TOO_LATE, now} end
redis.call('ZADD', KEYS[1], now + window, ARGV[1])
for _, condition in ipairs({'NX', 'GT'}) do redis.call('PEXPIREAT', KEYS[1], now + 86400000, condition) end
return redis.call('ZRANGE', KEYS[1], '-inf', now, 'BYSCORE', 'LIMIT', 0, 100, 'WITHSCORES')
