-- The format of a session in its hash: the common head of all scripts (C-7).
--
--   m        metadata: HEAD, then the remembered commits, oldest first
--   a<name>  one attribute: the version that wrote it (8 bytes), then its value
--   r        ids and times of commits that were applied at their second sending; rare
--   p        the principal: the version that bound it (8 bytes), the id's first 12 bits (2 bytes), the principal,
--            which is empty where there is none; written as an attribute is
--   i        the version of the latest rotation, which gave the session its present id; absent before the first
--   t        instead of all others: a tombstone, holding the metadata that the session had at its end
--   f        beside `t` if the id was renewed: key and incarnation of the successor, and until when the old id leads there
--   e        beside `t` if the client has given the id up, for a new one or by a logout: when that was (C-24)
--   o        the key under which the session was before its id was renewed, if that leads here (C-23)
--
-- Fields of any other name belong to other releases and are never touched (R-24). Numbers are big-endian. Times are
-- milliseconds and versions microseconds by this server's clock, exact in Lua's doubles until the year 2255 (C-8).
-- A remembered commit is its id, its version, and the length-prefixed results of its increments.

local MAGIC, FORMAT, REMEMBERED, DAY = 119, 2, 8, 86400000
local HEAD, HEAD_SIZE = '>BBc8I8I8I8I8I8I8B', 59
local COMMIT, COMMIT_SIZE = '>c8I8I3', 19
local EXACT = 9007199254740992

local APPLIED, GONE, CONFLICT, NOT_A_NUMBER, UNKNOWN, TOO_NEW, UNREADABLE, FORWARDED, REVOKED = 0, 1, 2, 3, 4, 5, 6, 7, 8
local FORWARD, FORWARD_SIZE = '>c16c8I8', 32

local function pack(s)
  return struct.pack(
    HEAD, MAGIC, FORMAT, s.incarnation, s.version, s.created, s.interval, s.deadline, s.removed, s.floor, s.count) .. s.commits
end

-- What `pack` has packed; nil and why if it was not this release that did. The length and the ranges show most damage, and
-- a creation far in the future would carry a session beyond any deadline (R-20).
local function parse(raw, now)
  local magic, format = raw:byte(1, 2)
  if magic == MAGIC and format and format > FORMAT then return nil, TOO_NEW end
  if magic ~= MAGIC or format ~= FORMAT or #raw < HEAD_SIZE then return nil, UNREADABLE end
  local _, _, incarnation, version, created, interval, deadline, removed, floor, count = struct.unpack(HEAD, raw)
  local sound = count <= REMEMBERED and #raw >= HEAD_SIZE + count * COMMIT_SIZE and version < EXACT
    and interval < EXACT and created <= now + DAY and created <= deadline and deadline < EXACT
  if not sound then return nil, UNREADABLE end
  return {
    incarnation = incarnation, version = version, created = created, interval = interval, deadline = deadline,
    removed = removed, floor = floor, count = count, commits = raw:sub(HEAD_SIZE + 1), dead = false, resent = '',
  }
end

-- The session under `key`, or its tombstone (`dead`); otherwise nil and GONE, TOO_NEW or UNREADABLE (R-20 to R-22). What
-- stands beside a tombstone is looked for where there is one: a field that is not there costs a walk through all others.
local function read(key, now)
  local found = redis.pcall('HMGET', key, 'm', 'r')
  if found.err then return nil, UNREADABLE end -- no hash
  if found[1] then
    local s, refusal = parse(found[1], now)
    if s then s.resent = found[2] or '' end
    return s, refusal
  end
  found = redis.call('HMGET', key, 't', 'f')
  if found[1] then
    local s, refusal = parse(found[1], now)
    if s then s.dead, s.forward = true, #(found[2] or '') == FORWARD_SIZE and found[2] end
    return s, refusal
  end
  return nil, redis.call('EXISTS', key) == 1 and UNREADABLE or GONE
end

-- When idling ends a session that was last used at `used`.
local function idle_end(s, used)
  if s.interval == 0 then return s.deadline end
  return math.min(used + s.interval, s.deadline)
end

-- The same for a session that has lost its score: its last commit is the only use on record (C-16, R-28).
local function idle_end_unindexed(s)
  return idle_end(s, math.floor(s.version / 1000))
end

-- Whether a session may still be used. A use may be reported late, by as much as `grace`; the deadline has no grace.
local function alive(s, ends, now, grace)
  return s.deadline > now and ends > now - grace
end

-- The record must be gone a day after the deadline whatever happens; NX, so that use never moves or invalidates it (E-5).
local function ensure_ttl(key, s)
  redis.call('PEXPIREAT', key, s.deadline + DAY, 'NX')
end
