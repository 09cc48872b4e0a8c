#!lua flags=allow-oom
-- Claim a segment for this node, and list sessions that expired longer than `grace` ago. One node sweeps a segment at a
-- time; its claim expires if it is not renewed (E-4, F-27).
-- KEYS: index, claim. ARGV: node, life of the claim, grace, how many to leave out, how many to list.
-- Returns members of the index, or nil if another node has the claim.
local claimed = redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2], 'NX', 'GET')
if claimed and claimed ~= ARGV[1] then return false end
if claimed then redis.call('PEXPIRE', KEYS[2], ARGV[2]) end
return redis.call('ZRANGE', KEYS[1], '-inf', clock() - tonumber(ARGV[3]), 'BYSCORE', 'LIMIT', ARGV[4], ARGV[5])
