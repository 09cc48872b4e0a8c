#!lua flags=allow-oom
-- Record the presence of a node. A write, so that a server which may not write rejects it: the server that answers this is
-- the primary (C-4, C-6, fact 12). Its canary is changed too: the node tracks it, and must get a push.
-- KEYS: members, canary. ARGV: node, its last acknowledged heartbeat, its lease (milliseconds), and 1 to remove nodes from
-- the list that have been silent for a minute beyond their leases, and to look how full the table of tracked keys is.
-- Returns {now, replication id, replicas, since when the list has been kept, when this node was last in it or 0}, and with
-- that look {..., members, tracked keys, tracked items} (C-18).
local now = clock()
local before, origin = unpack(redis.call('HMGET', KEYS[1], ARGV[1], ORIGIN))
redis.call('HSET', KEYS[1], ARGV[1], struct.pack('>I8I8I4', now, ARGV[2], ARGV[3]))
redis.call('PEXPIRE', KEYS[1], 60000)
redis.call('SET', KEYS[2], now, 'PX', 60000)
local info = redis.call('INFO', 'replication')
local history = info:match('master_replid:(%x+)')
local since = kept_since(KEYS[1], origin, now, history)
local reply = {now, history, tonumber(info:match('connected_slaves:(%d+)')), since}
reply[5] = before and struct.unpack('>I8', before) or 0
if ARGV[4] == '1' then
  local stats = redis.call('INFO', 'stats')
  reply[6] = #present(KEYS[1], now) / 2
  reply[7] = tonumber(stats:match('tracking_total_keys:(%d+)') or 0)
  reply[8] = tonumber(stats:match('tracking_total_items:(%d+)') or 0)
end
return reply
