-- Stands before release.lua and apply.lua, which both end reservations.
--
-- Gives back what a check has reserved: takes it from the reserved sums, a field that comes to zero goes, and forgets the
-- reservation. Returns what stood there, or nil where the check holds nothing.
local function give_back(reserved, reservations, deadlines, check)
  local text = redis.call('HGET', reservations, check)
  redis.call('ZREM', deadlines, check)
  if not text then
    return nil
  end
  for _, pair in ipairs(cjson.decode(text).fields) do
    if redis.call('HINCRBY', reserved, pair[1], '-' .. pair[2]) == 0 then
      redis.call('HDEL', reserved, pair[1])
    end
  end
  redis.call('HDEL', reservations, check)
  return text
end
