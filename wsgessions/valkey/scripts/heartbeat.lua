#!lua flags=allow-oom
-- Record that a node is there. A write, so that a server which may not write refuses it: whoever answers this is the
-- primary (C-4, C-6, fact 12). Its canary is changed too: the node watches it, and must be told.
-- KEYS: members, canary. ARGV: node, its last acknowledged heartbeat, its lease (milliseconds), and 1 to remove nodes from
-- the list that have been silent for a minute beyond their leases, and to look how full the table of tracked keys is.
-- Returns {now, replication id, replicas, members}, and with that look {..., tracked keys, tracked items} (C-18).
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', KEYS[1], ARGV[1], struct.pack('>I8I8I4', now, ARGV[2], ARGV[3]))
redis.call('PEXPIRE', KEYS[1], 60000)
redis.call('SET', KEYS[2], now, 'PX', 60000)
if ARGV[4] == '1' then present(KEYS[1], now) end
local info = redis.call('INFO', 'replication')
local history = info:match('master_replid:(%x+)')
kept_since(KEYS[1], now, history)
local reply = {now, history, tonumber(info:match('connected_slaves:(%d+)')), redis.call('HLEN', KEYS[1]) - 1}
if ARGV[4] == '1' then
  local stats = redis.call('INFO', 'stats')
  reply[5] = tonumber(stats:match('tracking_total_keys:(%d+)') or 0)
  reply[6] = tonumber(stats:match('tracking_total_items:(%d+)') or 0)
end
return reply
