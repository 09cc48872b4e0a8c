#!lua flags=allow-oom
-- Remove a session and put a tombstone in its place, so that nothing late brings it back (C-9, C-15, S-62). Where there
-- is no session nothing is stored, or made-up ids would fill the store (S-50).
-- KEYS: record, index. ARGV: life of the tombstone, grace, whether this is a resend (1 or 0).
-- Returns {status, whether there was a session, number of replicas, replication id, whose it was}, the replicas for whoever
-- wants to know that the end has reached them (C-15b), and the last only where there was a session; or, if the id was
-- renewed, {FORWARDED, successor's key, ...}: an end is meant for the session, and no grace limits it.
local now, member = clock(), KEYS[1]:sub(-16)

local function answer(status, existed, bound)
  local info = redis.call('INFO', 'replication')
  local _, replicas = info:gsub('state=online', '')
  return {status, existed, replicas, info:match('master_replid:(%x+)'), bound}
end

local s, refusal = read(KEYS[1], now)
if not s then
  if refusal == GONE then redis.call('ZREM', KEYS[2], member) end
  return answer(refusal, 0)
end
if s.dead then return s.forward and history().onward(s, 0) or answer(APPLIED, tonumber(ARGV[3])) end
local score = tonumber(redis.call('ZSCORE', KEYS[2], member))
redis.call('ZREM', KEYS[2], member)
local metadata, bound = unpack(redis.call('HMGET', KEYS[1], 'm', 'p'))
redis.call('UNLINK', KEYS[1])
redis.call('HSET', KEYS[1], 't', metadata)
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return answer(APPLIED, alive(s, score or idle_end_unindexed(s), now, tonumber(ARGV[2])) and 1 or 0, bound or nil)
