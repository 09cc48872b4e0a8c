#!lua flags=allow-oom
-- List the nodes that may keep copies, and drop those that have been silent for a minute beyond their leases (C-6).
-- KEYS: members, hint. ARGV: 1 to ask all of them for a heartbeat at once.
-- Returns {now, since when the list has been kept, {node, packed beats, ...}}.
local now = clock()
if ARGV[1] == '1' then redis.call('SET', KEYS[2], now, 'PX', 60000) end
local history = redis.call('INFO', 'replication'):match('master_replid:(%x+)')
return {now, kept_since(KEYS[1], redis.call('HGET', KEYS[1], ORIGIN), now, history), present(KEYS[1], now)}
