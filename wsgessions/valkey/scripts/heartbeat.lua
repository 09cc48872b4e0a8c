#!lua flags=allow-oom
-- Record that a node is there. A write, so that a server which may not write refuses it: whoever answers this is the
-- primary (C-4, C-6, fact 12). And change the canary of the next living node in a ring of all: without it nothing could
-- tell a silent stream from one that lost its pushes, and what a node changes itself is not pushed to it (fact 4).
-- KEYS: members. ARGV: node, its last acknowledged heartbeat, its lease, life of the canary (all milliseconds), and what the
-- names of canaries, which lie in the same slot, begin with.
-- Returns {now, replication id, replicas, members}.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local own, fields = ARGV[1], redis.call('HGETALL', KEYS[1])
local first, following
for i = 1, #fields, 2 do
  local node, beat, _, lease = fields[i], struct.unpack('>I8I8I4', fields[i + 1])
  if beat + lease + 60000 < now then
    redis.call('HDEL', KEYS[1], node)
  elseif node ~= own and beat + lease >= now then
    if not first or node < first then first = node end
    if node > own and (not following or node < following) then following = node end
  end
end
redis.call('HSET', KEYS[1], own, struct.pack('>I8I8I4', now, ARGV[2], ARGV[3]))
redis.call('PEXPIRE', KEYS[1], 60000)
if first then redis.call('SET', ARGV[5] .. (following or first), time[1] .. time[2], 'PX', ARGV[4]) end
local info = redis.call('INFO', 'replication')
return {now, info:match('master_replid:(%x+)'), tonumber(info:match('connected_slaves:(%d+)')), redis.call('HLEN', KEYS[1])}
