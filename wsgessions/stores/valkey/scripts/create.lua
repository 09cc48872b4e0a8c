#!lua
-- Store a new session and nothing else: whatever lies under the key stays (S-09). A repeated creation is recognised by
-- its incarnation (C-9). Reads no other key than the record (C-3b).
-- KEYS: record, index. ARGV: header, then name and value of each attribute.
-- Returns {version, now, expires}, {} if this very session is there already, nil if the key is taken, or {TOO_LATE, now} if
-- the caller does not wait any more (C-20).
local incarnation, interval, lifetime, not_after = struct.unpack('>c8I8I8I8', ARGV[1])
local now, version = clock()
if redis.call('EXISTS', KEYS[1]) == 1 then
  local there = read(KEYS[1], now)
  return there and not there.dead and there.incarnation == incarnation and {} or false
end
if now > not_after then return {TOO_LATE, now} end

local s = {
  incarnation = incarnation, version = version, created = now, interval = interval, deadline = now + lifetime,
  removed = 0, floor = version, count = 0, commits = '',
}
local fields, stamp = {'m', pack(s)}, struct.pack('>I8', version)
for i = 2, #ARGV, 2 do
  fields[#fields + 1] = ARGV[i]
  fields[#fields + 1] = stamp .. ARGV[i + 1]
end
local ends = idle_end(s, now)
redis.call('ZADD', KEYS[2], ends, KEYS[1]:sub(-16)) -- first, since it fails where the index is no sorted set
in_parts('HSET', KEYS[1], fields, 1, #fields)
ensure_ttl(KEYS[1], s)
redis.call('HLEN', KEYS[1]) -- a tracked creation stays subscribed if it ends by reading what it wrote (C-3, fact 5)
return {version, now, ends}
