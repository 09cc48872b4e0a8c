#!lua flags=allow-oom
-- Index again the sessions of one segment that were found without a score. Each is judged here once more: it may have been
-- used, rotated or ended since. An expired session is indexed as well, so that the reaper finds it. Tombstones, and
-- records that this release cannot read, stay out (R-20, R-22, R-28).
-- KEYS: index, records.
-- Returns how many were indexed.
local now, repaired = clock(), 0
for i = 2, #KEYS do
  local s = read(KEYS[i], now)
  if s and not s.dead and redis.call('ZADD', KEYS[1], 'NX', idle_end_unindexed(s), KEYS[i]:sub(-16)) == 1 then
    ensure_ttl(KEYS[i], s)
    repaired = repaired + 1
  end
end
return repaired
