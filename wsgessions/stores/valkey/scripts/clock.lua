-- The store's clock, and the answer of a script that changes something and runs after its caller has given up: nothing is
-- changed then (C-20).
local TOO_LATE = 9

-- The time in milliseconds, and in microseconds.
local function clock()
  local time = redis.call('TIME')
  local micros = time[1] * 1000000 + time[2]
  return math.floor(micros / 1000), micros
end

