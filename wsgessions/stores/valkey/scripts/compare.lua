#!lua flags=allow-oom
-- Find the processes whose settings are not those of the caller, and record the caller's (C-27).
-- KEYS: settings. ARGV: process, its settings, 1 to record them, how long they count (milliseconds), most processes to list.
-- Returns {now, number of other processes, then for each with other settings its name, when it was heard, its settings};
-- times are microseconds.
redis.set_repl(redis.REPL_NONE) -- of no use to a replica, nor after a restart

local _, now = clock()
local life, others = tonumber(ARGV[4]) * 1000, 0
local reply, longest = {now, 0}, 2 + 3 * tonumber(ARGV[5])
local fields = redis.call('HGETALL', KEYS[1])
for i = 1, #fields, 2 do
  local name, value = fields[i], fields[i + 1]
  local heard = #value >= 8 and struct.unpack('>I8', value) or 0
  if heard + life < now then
    redis.call('HDEL', KEYS[1], name)
  elseif name ~= ARGV[1] then
    others = others + 1
    local settings = value:sub(9)
    if settings ~= ARGV[2] and #reply < longest then
      reply[#reply + 1], reply[#reply + 2], reply[#reply + 3] = name, heard, settings
    end
  end
end
reply[2] = others
if ARGV[3] == '1' then
  redis.call('HSET', KEYS[1], ARGV[1], struct.pack('>I8', now) .. ARGV[2])
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
end
return reply
