#!lua flags=allow-oom
-- Claim segments for this node, and list their sessions that expired longer than `grace` ago: one call for all segments of
-- a server. One node sweeps them at a time; its claim lasts a little longer than until its next look (E-4, F-27).
-- KEYS: claim, indexes. ARGV: node, 1 to take the claim from another node, grace, longest pause between two looks, how much
-- longer the claim lasts (milliseconds), how many to list of each index, then for each index how many to leave out.
-- Returns {1, milliseconds until the next session is due, at most the longest pause, then for each index with sessions
-- that are due its number from 0, and its members, or nil if it is no index}; or {0, milliseconds until the claim of
-- another node ends}.
redis.set_repl(redis.REPL_NONE) -- a claim is of no use to a replica, nor after a restart
local CLAIM, INDEXES_AT_ONCE = '>c8I8', 8

local now, held = clock(), redis.call('GET', KEYS[1])
if held and #held == 16 and ARGV[2] ~= '1' then
  local holder, ends = struct.unpack(CLAIM, held)
  if holder ~= ARGV[1] then return {0, math.max(0, ends - now)} end
end

local grace, pause = tonumber(ARGV[3]), tonumber(ARGV[4])
local reply = {1, pause}
local function look(i)
  local skip = ARGV[i + 5]
  local first = redis.pcall('ZRANGE', KEYS[i], skip, skip, 'WITHSCORES')
  if first.err then
    reply[#reply + 1], reply[#reply + 2] = i - 2, false -- a nil in the reply
  elseif first[2] then
    local wait = tonumber(first[2]) + grace - now
    if wait <= 0 then
      local due = redis.call('ZRANGE', KEYS[i], '-inf', now - grace, 'BYSCORE', 'LIMIT', skip, ARGV[6])
      reply[#reply + 1], reply[#reply + 2] = i - 2, due
    end
    pause = math.max(0, math.min(pause, wait))
  end
end

for first = 2, #KEYS, INDEXES_AT_ONCE do
  local last = math.min(first + INDEXES_AT_ONCE - 1, #KEYS)
  if redis.call('EXISTS', unpack(KEYS, first, last)) > 0 then -- most indexes of a store with few sessions are empty
    for i = first, last do look(i) end
  end
end
reply[2] = math.ceil(pause)
local life = math.ceil(pause) + tonumber(ARGV[5])
redis.call('SET', KEYS[1], struct.pack(CLAIM, ARGV[1], now + life), 'PX', life)
return reply
