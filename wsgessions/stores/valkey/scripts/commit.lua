#!lua
-- Change a session, all or nothing, and if a successor is given move it to that key (C-8 to C-10, E-10, S-06, K-12).
--
-- KEYS: record, index, and for a rotation the successor's record.
-- ARGV: header; name and value of each changed attribute; removed names; name and number of each increment; guarded names.
-- Returns {FORWARDED, successor's key, its incarnation, version of its rotation} if the id was renewed a moment ago,
-- {TOO_LATE, now} if the caller does not wait any more (C-20), or
-- {status, version, previous, expires, results, names}, and behind these, if others have committed since the base,
-- {..., present version, interval, changed, live, lineage}. Nearly always there is nothing to tell but that it was applied:
-- then version, previous and expires in one string, which is cheaper at both ends.
--
-- What this script may read: a tracked commit keeps the caller's copy of the record alive only if the last thing it does
-- is to read the record, and it subscribes the caller to every key it reads (C-3, C-3b, fact 5). So nothing is read but
-- records. Whether idling has ended the session is decided here nevertheless: `ZADD XX INCR 0` tells a member's score,
-- and the server takes it for a write, which tracks nothing, and which here changes and propagates nothing.
local incarnation, base, id, resend, not_after, grace, tombstone, successor, forward, interval, n_changed, n_removed, n_added =
  struct.unpack('>c8I8c8BI8I4I4c8I4i8I4I4I4', ARGV[1])
local removed_at = 2 + 2 * n_changed
local added_at = removed_at + n_removed
local guarded_at = added_at + 2 * n_added
local key, index, member = KEYS[1], KEYS[2], KEYS[1]:sub(-16)
local now, micros = clock()

local s, refusal = read(key, now)
if not s then return {refusal == GONE and resend == 1 and UNKNOWN or refusal} end
if s.incarnation ~= incarnation then return {GONE} end
local past = base ~= s.version and history()
local since = (not past or past.holds(s, base)) and base or -1 -- a base from a lost timeline tells nothing here (C-12)

-- A repeated commit is answered as it was the first time, even when the session has ended since.
if s.commits:find(id, 1, true) then
  past = past or history()
  local at, previous = 1, s.floor
  while at + COMMIT_SIZE - 1 <= #s.commits do
    local known, version, size = struct.unpack(COMMIT, s.commits, at)
    local results = at + COMMIT_SIZE
    if known == id then
      results = s.commits:sub(results, results + size - 1)
      local reply = {APPLIED, version, previous, idle_end(s, math.floor(version / 1000)), results, {}}
      if not s.dead then
        local changed = past.written_since(key, since, function(_, written_at) return written_at == version end)
        reply[7], reply[8], reply[9] = s.version, s.interval, changed
        reply[10], reply[11] = past.live_names(key, s.removed, since), past.lineage(s)
      end
      return reply
    end
    at, previous = results + size, version
  end
end
if resend == 1 and base < s.floor then return {UNKNOWN} end -- applied and forgotten, or never applied
if s.resent:find(id, 1, true) then return {UNKNOWN} end -- its caller has gone: the resend was answered

if s.dead then return history().onward(s, now) end
local ends = tonumber(redis.call('ZADD', index, 'XX', 'INCR', 0, member)) or idle_end_unindexed(s)
if not alive(s, ends, now, grace) then return {GONE} end
if now > not_after then return {TOO_LATE, now} end

local values, replaced, names = {}, {}, {}
for i = 2, removed_at - 1, 2 do values[ARGV[i]], replaced[ARGV[i]] = ARGV[i + 1], true end
for i = removed_at, added_at - 1 do replaced[ARGV[i]] = true end

-- What others have written since the base: a conflict for guarded names, and worth a count for replaced ones (C-10).
local others, written
if since ~= s.version then
  local own = {}
  for i = added_at, guarded_at - 1, 2 do own[ARGV[i]] = true end
  past = past or history()
  others, written = past.written_since(key, since, function(name) return replaced[name] or own[name] end)
  for i = guarded_at, #ARGV do
    if (written[ARGV[i]] or s.removed) > since then names[#names + 1] = ARGV[i] end
  end
  if #names > 0 then
    local live = past.live_names(key, s.removed, since)
    local changed = past.written_since(key, since)
    return {CONFLICT, s.version, s.version, ends, '', names, s.version, s.interval, changed, live, past.lineage(s)}
  end
  for name in pairs(replaced) do
    if (written[name] or -1) > since then names[#names + 1] = name end
  end
end

local results = ''
if n_added > 0 then
  -- A msgpack number and whether it is a float; nil for all else, and for ints that a double does not hold exactly. The
  -- tags of numbers are 0xca to 0xd3, each with its own size, and those below 0x80 and from 0xe0 that are the number itself.
  local function number(raw)
    local tag = raw:byte() or 0xc1
    local size = (tag < 0x80 or tag >= 0xe0) and 1 or ({5, 9, 2, 3, 5, 9, 2, 3, 5, 9})[tag - 0xc9]
    if #raw ~= size then return nil end
    local value, float = cmsgpack.unpack(raw), tag == 0xca or tag == 0xcb
    if float or math.abs(value) < EXACT then return value, float end
  end

  -- The sum of two msgpack numbers as msgpack, an int only if both are; nil if it would not be exact.
  local function add(left, right)
    local a, a_float = number(left)
    local b, b_float = number(right)
    if not a or not b then return nil end
    local sum = a + b
    if a_float or b_float then return sum - sum == 0 and '\203' .. struct.pack('>d', sum) or nil end
    return math.abs(sum) < EXACT and cmsgpack.pack(sum) or nil
  end

  local refused = {}
  for i = added_at, guarded_at - 1, 2 do
    local name = ARGV[i]
    local stored = not replaced[name] and redis.call('HGET', key, name)
    local sum = add(values[name] or stored and stored:sub(9) or '\0', ARGV[i + 1])
    if sum then
      values[name], results = sum, results .. string.char(#sum) .. sum
    else
      refused[#refused + 1] = name
    end
  end
  if #refused > 0 then return {NOT_A_NUMBER, s.version, s.version, ends, '', refused} end
end
if KEYS[3] and redis.call('EXISTS', KEYS[3]) == 1 then return {CONFLICT, s.version, s.version, ends, '', {}} end

-- From here on all is written, and nothing can be refused any more.
local was_removed, previous = s.removed, s.version
s.version = math.max(s.version + 1, micros)
if interval >= 0 then s.interval = interval end
if in_parts('HDEL', key, ARGV, removed_at, added_at - 1) > 0 then s.removed = s.version end
if s.count == REMEMBERED then
  local _, forgotten, size = struct.unpack(COMMIT, s.commits)
  s.floor, s.count, s.commits = forgotten, s.count - 1, s.commits:sub(COMMIT_SIZE + size + 1)
end
s.count, s.commits = s.count + 1, s.commits .. struct.pack(COMMIT, id, s.version, #results) .. results

-- The first sending of a commit can arrive after its resend: it lay in a socket of a server that stood still. By then the
-- record may have forgotten the commit, so applied resends are kept apart until the first sending cannot be on its way.
if resend == 1 then
  local kept = {}
  for at = 1, #s.resent, 16 do
    local entry = s.resent:sub(at, at + 15)
    if struct.unpack('>I8', entry, 9) > now - tombstone then kept[#kept + 1] = entry end
  end
  redis.call('HSET', key, 'r', table.concat(kept) .. id .. struct.pack('>I8', now))
end
if KEYS[3] then
  redis.call('RENAMENX', key, KEYS[3])
  redis.call('HSET', key, 't', pack(s))
  redis.call('PEXPIRE', key, tombstone)
  if forward > 0 then
    -- The old id leads on until the new one has been presented, so that a lost response costs no session (C-23).
    redis.call('HSET', key, 'f', struct.pack(FORWARD, KEYS[3]:sub(-16), successor, s.deadline))
    redis.call('PEXPIREAT', key, idle_end(s, now) + tombstone)
  else
    redis.call('HSET', key, 'e', struct.pack('>I8', now))
  end
  redis.call('ZREM', index, member)
  key, member, s.incarnation = KEYS[3], KEYS[3]:sub(-16), successor
end
local fields, stamp = {'m', pack(s)}, struct.pack('>I8', s.version)
if KEYS[3] then
  fields[3], fields[4] = 'i', stamp
  if forward > 0 then fields[5], fields[6] = 'o', KEYS[1]:sub(-16) else redis.call('HDEL', key, 'o') end
end
for name, value in pairs(values) do
  fields[#fields + 1] = name
  fields[#fields + 1] = stamp .. value
end
in_parts('HSET', key, fields, 1, #fields)
ensure_ttl(key, s)
ends = idle_end(s, now)
redis.call('ZADD', index, ends, member)
redis.call('HLEN', key)

if not others and results == '' then return struct.pack('>I8I8I8', s.version, previous, ends) end
local reply = {APPLIED, s.version, previous, ends, results, names}
if others then
  reply[7], reply[8], reply[9], reply[10] = s.version, s.interval, others, past.live_names(key, was_removed, since)
  reply[11] = past.lineage(s)
end
return reply
