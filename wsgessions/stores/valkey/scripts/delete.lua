#!lua flags=allow-oom
-- Remove a session and put a tombstone in its place, so that nothing late brings it back (C-9, C-15, S-62). Where there
-- is no session nothing is stored, or made-up ids would fill the store (S-50). A record of a later release is ended too:
-- that is what was asked for, and its metadata stay as they are in the tombstone, for that release to read (R-22).
-- KEYS: record, index. ARGV: life of the tombstone, grace, whether this is a resend (1 or 0), not after, and whether
-- the client itself gives the id up (1 or 0).
-- Returns {status, whether there was a session, number of replicas, replication id, the principal}, the replicas for a
-- caller that waits until they have the end (C-15b), and the last only if there was a session; or, if the id was
-- renewed, {FORWARDED, successor's key, ...}: an end is meant for the session, and no grace limits it; or {TOO_LATE, now} if
-- the caller does not wait any more (C-20).
local now, member = clock(), KEYS[1]:sub(-16)

local function answer(status, existed, bound)
  local info = redis.call('INFO', 'replication')
  local _, replicas = info:gsub('state=online', '')
  return {status, existed, replicas, info:match('master_replid:(%x+)'), bound}
end

local s, refusal = read(KEYS[1], now)
local metadata, bound = false, false
if s and not s.dead or refusal == TOO_NEW then metadata, bound = unpack(redis.call('HMGET', KEYS[1], 'm', 'p')) end
if not s and not metadata then
  if refusal == TOO_NEW then return answer(APPLIED, tonumber(ARGV[3])) end -- its tombstone
  if refusal == GONE then redis.call('ZREM', KEYS[2], member) end
  return answer(refusal, 0)
end
if s and s.dead then return s.forward and history().onward(s, 0) or answer(APPLIED, tonumber(ARGV[3])) end
if now > tonumber(ARGV[4]) then return {TOO_LATE, now} end
local score = tonumber(redis.call('ZSCORE', KEYS[2], member))
redis.call('ZREM', KEYS[2], member)
redis.call('UNLINK', KEYS[1])
redis.call('HSET', KEYS[1], 't', metadata)
if ARGV[5] == '1' then redis.call('HSET', KEYS[1], 'e', struct.pack('>I8', now)) end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
local existed = not s or alive(s, score or idle_end_unindexed(s), now, tonumber(ARGV[2]))
return answer(APPLIED, existed and 1 or 0, bound or nil)
