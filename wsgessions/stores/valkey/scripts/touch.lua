#!lua flags=allow-oom
-- Restart the idle time of sessions, in one segment. A score only ever grows here, and never beyond the deadline, so
-- that neither order nor repetition matters (C-16). A tombstone or a missing record is ignored.
-- KEYS: index, records. ARGV: grace, not after.
-- Returns how many sessions were found without a score and indexed again (R-28), or {TOO_LATE, now} if the caller does not
-- wait any more: a use that is told later would start the idle time too late (C-20).
local now, grace = clock(), tonumber(ARGV[1])
if now > tonumber(ARGV[2]) then return {TOO_LATE, now} end
local members, scores, repaired = {}, {}, 0
for i = 2, #KEYS do members[i - 1] = KEYS[i]:sub(-16) end
local known = redis.call('ZMSCORE', KEYS[1], unpack(members))
for i, member in ipairs(members) do
  local s = read(KEYS[i + 1], now)
  if s and not s.dead and alive(s, tonumber(known[i]) or idle_end_unindexed(s), now, grace) then
    scores[#scores + 1] = idle_end(s, now)
    scores[#scores + 1] = member
    ensure_ttl(KEYS[i + 1], s)
    if not known[i] then repaired = repaired + 1 end
  end
end
if #scores > 0 then redis.call('ZADD', KEYS[1], 'GT', unpack(scores)) end
return repaired
