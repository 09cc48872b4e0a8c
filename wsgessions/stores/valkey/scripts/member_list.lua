-- The list of members, a hash: each node's beats by its name, and in one field since when the list has been kept (C-6).
-- A list is of one history of the server, so it is kept out of the append-only file and away from replicas: a server that is
-- promoted or restarted begins a new one. Beats therefore cost no disk.
local ORIGIN = 'origin'
redis.set_repl(redis.REPL_NONE)

-- Since when this list has been kept in this history of the server, which is told by its replication id: a node that was
-- in an earlier one, and is not in this, has had no new lease for so long. `origin` is that field of the list, so that both
-- are lost together; it holds the time (8 bytes) and the replication id.
local function kept_since(members, origin, now, history)
  if origin and origin:sub(9) == history then
    local since = struct.unpack('>I8', origin)
    if since <= now then return since end
  end
  redis.call('HSET', members, ORIGIN, struct.pack('>I8', now) .. history)
  return now
end

-- {node, packed beats, ...}, without those that have been silent for a minute beyond their leases: these are dropped.
local function present(members, now)
  local nodes, fields = {}, redis.call('HGETALL', members)
  for i = 1, #fields, 2 do
    if fields[i] ~= ORIGIN then
      local beat, _, lease = struct.unpack('>I8I8I4', fields[i + 1])
      if beat + lease + 60000 < now then
        redis.call('HDEL', members, fields[i])
      else
        nodes[#nodes + 1], nodes[#nodes + 2] = fields[i], fields[i + 1]
      end
    end
  end
  return nodes
end

