-- Run a command on `key` with items `first` to `last`, in parts: Lua hands over no more than some thousand values at once,
-- and an error in the middle of a script would leave half a change.
local function in_parts(command, key, items, first, last)
  local done = 0
  for i = first, last, 1000 do
    done = done + redis.call(command, key, unpack(items, i, math.min(i + 999, last)))
  end
  return done
end

