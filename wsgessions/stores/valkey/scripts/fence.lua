#!lua flags=allow-oom
-- Write something, so that replicas which confirm this have all that was written before it (fact 15).
-- KEYS: what to write. Returns the replication id: the history that the confirmations are about.
redis.call('SET', KEYS[1], '', 'PX', 60000)
return redis.call('INFO', 'replication'):match('master_replid:(%x+)')
