-- Sets cells of a seed, absolutely; the mark stays where it is. Writing the same again does no harm.
--
-- KEYS     slots
-- ARGV[1]  MessagePack: for each slot, [field name, value, ...]; values are int64 as decimal text
-- Returns 1.

local CHUNK = 1000 -- arguments of one call, even: fields and values alternate; Lua's stack holds 8,000

for k, cells in ipairs(cmsgpack.unpack(ARGV[1])) do
  for i = 1, #cells, CHUNK do
    redis.call('HSET', KEYS[k], unpack(cells, i, math.min(i + CHUNK - 1, #cells)))
  end
end
return 1
