-- Since when the list of members has been kept by this server in this history of it: a node that was in an earlier list,
-- and is not in this one, has had no new lease for so long (C-6). A field of the list, so that both are lost together; it
-- holds the time (8 bytes) and the replication id.
local ORIGIN = 'origin'

local function kept_since(members, now, replication)
  local history = replication:match('master_replid:(%x+)')
  local origin = redis.call('HGET', members, ORIGIN)
  if origin and origin:sub(9) == history then
    local since = struct.unpack('>I8', origin)
    if since <= now then return since end
  end
  redis.call('HSET', members, ORIGIN, struct.pack('>I8', now) .. history)
  return now
end

