#!lua flags=allow-oom
-- Delete sessions that expired longer than `grace` ago, with their index entries. Each is judged here again: it may have
-- been used since it was listed (E-4). Unreadable records leave the index and are kept for inspection (R-20); records of
-- a later release are left to it (R-22).
-- KEYS: index, records. ARGV: grace.
-- Returns the numbers of sessions deleted, entries without a session dropped, unreadable and too new records, and of the
-- deleted sessions with a principal KEY and principal, one after the other (E-9).
local now = clock()
local limit = now - tonumber(ARGV[1])
local expired, orphans, unreadable, too_new, bound = 0, 0, 0, 0, {}
for i = 2, #KEYS do
  local member = KEYS[i]:sub(-16)
  local score = tonumber(redis.call('ZSCORE', KEYS[1], member))
  if score and score <= limit then
    local s, refusal = read(KEYS[i], now)
    if refusal == TOO_NEW then
      too_new = too_new + 1
    else
      redis.call('ZREM', KEYS[1], member)
      if s and not s.dead then
        local principal = redis.call('HGET', KEYS[i], 'p')
        if principal and #principal > 10 then bound[#bound + 1], bound[#bound + 2] = member, principal end
        redis.call('UNLINK', KEYS[i])
        expired = expired + 1
      elseif refusal == UNREADABLE then
        unreadable = unreadable + 1
      else
        orphans = orphans + 1
      end
    end
  end
end
return {expired, orphans, unreadable, too_new, bound}
