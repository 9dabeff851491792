-- Gives back what checks have reserved, at once or once the mark has come far enough.
--
-- KEYS     mark, reserved sums, reservations, deadlines
-- ARGV[1]  the offset that the mark must have reached; '' for none
-- ARGV[2]  on: ids of checks; one that holds nothing is passed over
-- Returns for each check that held something {id, reservation}, or false where the mark is not there yet.

local mark = redis.call('GET', KEYS[1])
local offset = mark and tonumber(string.match(mark, ':(%d+)$')) or -1
if ARGV[1] ~= '' and offset < tonumber(ARGV[1]) then
  return false
end

local released = {}
for i = 2, #ARGV do
  local text = redis.call('HGET', KEYS[3], ARGV[i])
  if text then
    for _, pair in ipairs(cjson.decode(text).fields) do
      if redis.call('HINCRBY', KEYS[2], pair[1], '-' .. pair[2]) == 0 then
        redis.call('HDEL', KEYS[2], pair[1])
      end
    end
    redis.call('HDEL', KEYS[3], ARGV[i])
    released[#released + 1] = {ARGV[i], text}
  end
  redis.call('ZREM', KEYS[4], ARGV[i])
end
return released
