#!lua
-- Confirm sessions in a principal's index, with their absolute deadlines (E-9). The index lives at least as long as its
-- latest member.
-- KEYS: index. ARGV: not after, when the index may go at the earliest, then score and member of each session.
-- Returns how many were new, or {TOO_LATE, now} if the caller does not wait any more: by then a session may have ended (C-20).
local now = clock()
if now > tonumber(ARGV[1]) then return {TOO_LATE, now} end
local members = {}
for i = 3, #ARGV do members[i - 2] = ARGV[i] end
local added = in_parts('ZADD', KEYS[1], members, 1, #members)
for _, condition in ipairs({'NX', 'GT'}) do redis.call('PEXPIREAT', KEYS[1], ARGV[2], condition) end
return added
