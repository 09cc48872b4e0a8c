#!lua flags=no-writes
-- Read what has changed in a session since the caller read it, or all of it if that is not of the past of this session.
-- Reads the record and no other key, so that it may be tracked (C-3b); whether the session has expired is told by the time
-- and the score that travel in the same pipeline (C-16).
-- KEYS: record. ARGV: incarnation and version that the caller holds.
-- Returns {status}, {status, all fields}, or {status, version, interval, deadline, when idling ends it if it has no score,
-- changed attributes, live names or false, lineage if anything has changed}.
local incarnation, since = struct.unpack('>c8I8', ARGV[1])
local s, refusal = read(KEYS[1], clock())
if not s then return {refusal} end
local past = history()
if s.dead or s.incarnation ~= incarnation or not past.holds(s, since) then return {APPLIED, redis.call('HGETALL', KEYS[1])} end
local changed = s.version > since and past.written_since(KEYS[1], since) or {}
local live = past.live_names(KEYS[1], s.removed, since)
local lineage = s.version > since and past.lineage(s) or ''
return {APPLIED, s.version, s.interval, s.deadline, idle_end_unindexed(s), changed, live, lineage}
