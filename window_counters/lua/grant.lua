-- Writes leases of a tenant, if the agent is still the one whose heart beats for the partition.
--
-- KEYS     beat, leases
-- ARGV[1]  the agent's name
-- ARGV[2]  the number of its last beat
-- ARGV[3]  on: staging and lease in turn
-- Returns 1, or 0 where another agent beats by now.

local text = redis.call('GET', KEYS[1])
local found = text and cjson.decode(text)
if not found or found.agent ~= ARGV[1] or found.number ~= tonumber(ARGV[2]) then
  return 0
end
for i = 3, #ARGV, 2 do
  redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1])
end
return 1
