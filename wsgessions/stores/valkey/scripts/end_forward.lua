#!lua flags=allow-oom
-- The new ids of renewed sessions have been presented: the old ids lead there for the grace only (C-23, S-07). Records
-- without a forward, or with a shorter one, stay unchanged, so that neither order nor repetition matters.
-- KEYS: old records, of one segment. ARGV: that while, the life of a tombstone.
local ends = clock() + tonumber(ARGV[1])
for _, key in ipairs(KEYS) do
  local forward = redis.call('HGET', key, 'f')
  if forward and #forward == FORWARD_SIZE then
    local digest, incarnation, leads_until = struct.unpack(FORWARD, forward)
    if leads_until > ends then
      redis.call('HSET', key, 'f', struct.pack(FORWARD, digest, incarnation, ends))
      redis.call('PEXPIREAT', key, ends + tonumber(ARGV[2]))
    end
  end
end
return #KEYS
