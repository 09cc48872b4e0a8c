#!lua
-- Announce to a principal's index a session that is about to be bound: whoever reads the index from now on knows of it,
-- and does not take it for an orphan before `window` is over (E-9).
-- The index lives for a day at least; confirming a member makes it live as long as that.
-- KEYS: index. ARGV: member, window.
-- Returns members whose score has passed, with their scores: announced and never confirmed, or past their deadline.
local time = redis.call('TIME')
local now, window = time[1] * 1000 + math.floor(time[2] / 1000), tonumber(ARGV[2])
redis.call('ZADD', KEYS[1], now + window, ARGV[1])
for _, condition in ipairs({'NX', 'GT'}) do redis.call('PEXPIREAT', KEYS[1], now + 86400000, condition) end
return redis.call('ZRANGE', KEYS[1], '-inf', now, 'BYSCORE', 'LIMIT', 0, 100, 'WITHSCORES')
