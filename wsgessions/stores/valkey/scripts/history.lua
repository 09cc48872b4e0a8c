-- Functions that are needed only after commits of others, or after a rotation. The server makes every function of a script
-- anew with each call, at a cost for each: so these are made when they are needed, and most commits need none.
local function history()
  local past = {}

  -- Whether a version that a client has seen can be of this history. The latest commits are remembered, so that a version among
  -- them that is not remembered was lost with the server that knew it (C-8, C-12); of older ones nothing is known.
  function past.holds(s, version)
    if version == s.version or version <= s.floor then return true end
    local at = 1
    while at + COMMIT_SIZE - 1 <= #s.commits do
      local _, known, size = struct.unpack(COMMIT, s.commits, at)
      if known == version then return true end
      at = at + COMMIT_SIZE + size
    end
    return false
  end

  -- What the caller is to know of a record's past: the floor, and the versions that followed; see `record/history.py`.
  function past.lineage(s)
    local versions, at = {struct.pack('>I8', s.floor)}, 1
    while at + COMMIT_SIZE - 1 <= #s.commits do
      local _, _, size = struct.unpack(COMMIT, s.commits, at)
      versions[#versions + 1] = s.commits:sub(at + 8, at + 15)
      at = at + COMMIT_SIZE + size
    end
    return table.concat(versions)
  end

  -- The answer about a tombstone: where the session has gone if its id was renewed, and if this was before `latest` (S-07).
  function past.onward(s, latest)
    if not s.forward then return {REVOKED} end
    local digest, incarnation, ends = struct.unpack(FORWARD, s.forward)
    return ends > latest and {FORWARDED, digest, incarnation, s.version} or {GONE}
  end

  -- The attributes written after `since`, as name, value, name, value, but not those that `mine(name, written)` claims.
  function past.written_since(key, since, mine)
    local fields, changed, written = redis.call('HGETALL', key), {}, {}
    for i = 1, #fields, 2 do
      local name, value = fields[i], fields[i + 1]
      if name:byte() == 97 and #value >= 8 then
        local version = struct.unpack('>I8', value)
        written[name] = version
        if version > since and not (mine and mine(name, version)) then
          changed[#changed + 1] = name
          changed[#changed + 1] = value:sub(9)
        end
      end
    end
    return changed, written
  end

  -- The names of all attributes, if the latest removal came after `since`; otherwise false.
  function past.live_names(key, removed, since)
    if removed <= since then return false end
    local names = {}
    for _, name in ipairs(redis.call('HKEYS', key)) do
      if name:byte() == 97 then names[#names + 1] = name end
    end
    return names
  end

  return past
end
