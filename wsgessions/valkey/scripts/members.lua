#!lua flags=allow-oom
-- List the nodes that may keep copies, and drop those that have been silent for a minute beyond their leases (C-6).
-- KEYS: members, hint. ARGV: 1 to ask all of them for a heartbeat at once.
-- Returns {now, since when the list has been kept, node, packed beats, ...}.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if ARGV[1] == '1' then redis.call('SET', KEYS[2], now, 'PX', 60000) end
local reply, fields = {now, kept_since(KEYS[1], now, redis.call('INFO', 'replication'))}, redis.call('HGETALL', KEYS[1])
for i = 1, #fields, 2 do
  if fields[i] ~= ORIGIN then
    local beat, _, lease = struct.unpack('>I8I8I4', fields[i + 1])
    if beat + lease + 60000 < now then
      redis.call('HDEL', KEYS[1], fields[i])
    else
      reply[#reply + 1], reply[#reply + 2] = fields[i], fields[i + 1]
    end
  end
end
return reply
