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
  local text = give_back(KEYS[2], KEYS[3], KEYS[4], ARGV[i])
  if text then
    released[#released + 1] = {ARGV[i], text}
  end
end
return released
