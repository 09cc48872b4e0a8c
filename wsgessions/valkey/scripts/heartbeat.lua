#!lua flags=allow-oom
-- Record that a node is there. A write, so that a server which may not write refuses it: whoever answers this is the
-- primary (C-4, C-6, fact 12). Without our own canary nothing could tell a silent stream from one that lost its pushes.
-- KEYS: members, canary. ARGV: node, its last acknowledged heartbeat, its lease, life of the canary (all milliseconds).
-- Returns {now, replication id, replicas, members}.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', KEYS[1], ARGV[1], struct.pack('>I8I8I4', now, ARGV[2], ARGV[3]))
redis.call('PEXPIRE', KEYS[1], 60000)
redis.call('SET', KEYS[2], '1', 'PX', ARGV[4])
local info = redis.call('INFO', 'replication')
return {now, info:match('master_replid:(%x+)'), tonumber(info:match('connected_slaves:(%d+)')), redis.call('HLEN', KEYS[1])}
