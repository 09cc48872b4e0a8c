#!lua flags=allow-oom
-- Write a key, so that replicas which confirm this write have all earlier ones (fact 15).
-- KEYS: the key to write. Returns the replication id: the timeline of the confirmations.
redis.call('SET', KEYS[1], '', 'PX', 60000)
return redis.call('INFO', 'replication'):match('master_replid:(%x+)')
