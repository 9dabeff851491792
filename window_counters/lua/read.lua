-- Reads what one batch needs, all of one instant. Writes nothing.
--
-- KEYS     the mark, then in this order: tenants' documents, identity sets (each tenant's hours, the
--          earliest first), slots, expiry sets
-- ARGV[1]  MessagePack:
--            docs    how many documents
--            hours   for each tenant, how many identity sets
--            fields  for each slot, its field names
--            due     for each expiry set, the instant in milliseconds as decimal text
--            most    how many expired slots to list for one expiry set
-- ARGV[2]  on: for each tenant of `hours`, the identities to look for (8 bytes each)
-- Returns {mark, {document, ...}, {{place of identity, place of hour, ...}, ...}, {value, ...}, {{slot, ...}, ...}};
-- places count from 1, values (int64 as decimal text) stand in the order of all fields. Absent is nil.

local CHUNK = 1000 -- arguments of one call; Lua's stack holds 8,000
local ID_BYTES = 8

local plan = cmsgpack.unpack(ARGV[1])
local key = 1

local docs = {}
for i = 1, plan.docs do
  docs[i] = redis.call('GET', KEYS[1 + i])
end
key = key + plan.docs

local function identities(packed)
  local list = {}
  for i = 1, #packed, ID_BYTES do
    list[#list + 1] = string.sub(packed, i, i + ID_BYTES - 1)
  end
  return list
end

-- Appends to `found` the places of those of `wanted` that are in the set.
local function look(set, place_of_hour, wanted, found)
  for start = 1, #wanted, CHUNK do
    local last = math.min(start + CHUNK - 1, #wanted)
    local held = redis.call('SMISMEMBER', set, unpack(wanted, start, last))
    for i = 1, #held do
      if held[i] == 1 then
        found[#found + 1] = start + i - 1
        found[#found + 1] = place_of_hour
      end
    end
  end
end

local known = {}
for t, hours in ipairs(plan.hours) do
  local wanted, found = identities(ARGV[1 + t]), {}
  for h = 1, hours do
    if redis.call('EXISTS', KEYS[key + h]) == 1 then
      look(KEYS[key + h], h, wanted, found)
    end
  end
  known[t] = found
  key = key + hours
end

local cells, n = {}, 0
for _, names in ipairs(plan.fields) do
  key = key + 1
  for start = 1, #names, CHUNK do
    local values = redis.call('HMGET', KEYS[key], unpack(names, start, math.min(start + CHUNK - 1, #names)))
    for i = 1, #values do
      n = n + 1
      cells[n] = values[i]
    end
  end
end

local due = {}
for i, instant_ms in ipairs(plan.due) do
  due[i] = redis.call('ZRANGEBYSCORE', KEYS[key + i], '-inf', instant_ms, 'LIMIT', 0, plan.most)
end

return {redis.call('GET', KEYS[1]), docs, known, cells, due}
