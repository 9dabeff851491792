-- Reads a page of what a partition holds, with its mark, all of one instant. Writes nothing.
--
-- KEYS     the mark, then in this order: tenants' documents, identity sets, slots
-- ARGV[1]  MessagePack:
--            docs    how many documents
--            sets    how many identity sets
--            most    stop after the slot with which so many fields have been read
-- ARGV[2]  on: for each identity set, the identities to look for (8 bytes each)
-- Returns {mark, {document, ...}, {members of the set, members looked for that are there, ...}, {{field, value, ...}, ...}};
-- values as they stand, of as many slots as were read: at least one, where there is one. Absent is nil.

local CHUNK = 1000 -- arguments of one call; Lua's stack holds 8,000
local ID_BYTES = 8

local plan = cmsgpack.unpack(ARGV[1])
local key = 1

local docs = {}
for i = 1, plan.docs do
  docs[i] = redis.call('GET', KEYS[1 + i])
end
key = key + plan.docs

local function present(set, packed)
  local count, members = 0, {}
  for i = 1, #packed, ID_BYTES do
    members[#members + 1] = string.sub(packed, i, i + ID_BYTES - 1)
  end
  for start = 1, #members, CHUNK do
    local held = redis.call('SMISMEMBER', set, unpack(members, start, math.min(start + CHUNK - 1, #members)))
    for i = 1, #held do
      count = count + held[i]
    end
  end
  return count
end

local sets = {}
for i = 1, plan.sets do
  key = key + 1
  sets[#sets + 1] = redis.call('SCARD', KEYS[key])
  sets[#sets + 1] = present(KEYS[key], ARGV[1 + i])
end

local slots, fields = {}, 0
while key < #KEYS and (fields < plan.most or #slots == 0) do
  key = key + 1
  local cells = redis.call('HGETALL', KEYS[key])
  fields = fields + #cells / 2
  slots[#slots + 1] = cells
end

return {redis.call('GET', KEYS[1]), docs, sets, slots}
