-- Applies one batch and moves the mark, whole or not at all, if the mark is still the one that was seen.
--
-- KEYS     the mark, then one key for each operation, in this order: slots to increment, identity sets to
--          add to, expiry sets to add to, documents to set, expiry sets to forget from, three for each tenant with
--          settled checks (reserved sums, reservations, deadlines), keys to delete
-- ARGV[1]  the mark that was seen, '<topic_id>:<offset>'; '' for none
-- ARGV[2]  the mark to set
-- ARGV[3]  MessagePack: the operations of KEYS[2] on, in their order
--            fields   for each slot, its field names
--            deltas   for all slots' fields in that order, int64 as decimal text: Lua's numbers are doubles
--            sets     how many identity sets
--            expiries for each expiry set, [milliseconds as decimal text, slot name, ...]
--            docs     how many documents
--            forget   for each expiry set, slot names
--            settled  for each tenant with some, ids of checks: what they have reserved is given back
-- ARGV[4]  on: for each identity set its identities (8 bytes each), then the documents
-- Returns 1, or 0 if the mark differs. An error leaves everything as it was.

local CHUNK = 1000 -- arguments of one call; Lua's stack holds 8,000
local ID_BYTES = 8

if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then
  return 0
end

local plan = cmsgpack.unpack(ARGV[3])
local fields, deltas = plan.fields, plan.deltas
local key, arg = 1 + #fields, 3

-- What could fail later must fail now: a key of another kind raises here, before anything is written.
for i = 1, plan.sets do
  redis.call('SCARD', KEYS[key + i])
end
for i = 1, #plan.expiries do
  redis.call('ZCARD', KEYS[key + plan.sets + i])
end
local settled = key + plan.sets + #plan.expiries + plan.docs + #plan.forget
for i = 0, #plan.settled - 1 do
  redis.call('HLEN', KEYS[settled + 3 * i + 1])
  redis.call('HLEN', KEYS[settled + 3 * i + 2])
  redis.call('ZCARD', KEYS[settled + 3 * i + 3])
end

local function negative(delta)
  return delta == '0' and delta or string.match(delta, '^%-(.+)') or '-' .. delta
end

-- Takes the first `count` increments back. A field that comes to zero goes, for absent is zero.
local function undo(count)
  local n = 0
  for k, names in ipairs(fields) do
    for _, name in ipairs(names) do
      n = n + 1
      if n > count then
        return
      end
      if redis.call('HINCRBY', KEYS[1 + k], name, negative(deltas[n])) == 0 then
        redis.call('HDEL', KEYS[1 + k], name)
      end
    end
  end
end

local n = 0
for k = 1, #fields do
  local slot, names = KEYS[1 + k], fields[k]
  for i = 1, #names do
    n = n + 1
    local reply = redis.pcall('HINCRBY', slot, names[i], deltas[n])
    if type(reply) == 'table' then
      undo(n - 1)
      return reply
    end
  end
end

local function in_chunks(command, name, list)
  for i = 1, #list, CHUNK do
    redis.call(command, name, unpack(list, i, math.min(i + CHUNK - 1, #list)))
  end
end

for _ = 1, plan.sets do
  key, arg = key + 1, arg + 1
  local members, packed = {}, ARGV[arg]
  for i = 1, #packed, ID_BYTES do
    members[#members + 1] = string.sub(packed, i, i + ID_BYTES - 1)
  end
  in_chunks('SADD', KEYS[key], members)
end

for _, pairs_of_one in ipairs(plan.expiries) do
  key = key + 1
  in_chunks('ZADD', KEYS[key], pairs_of_one)
end

for _ = 1, plan.docs do
  key, arg = key + 1, arg + 1
  redis.call('SET', KEYS[key], ARGV[arg])
end

for _, names in ipairs(plan.forget) do
  key = key + 1
  in_chunks('ZREM', KEYS[key], names)
end

-- What the checks of calls that are counted now have reserved is reserved no longer.
for _, checks in ipairs(plan.settled) do
  for _, check in ipairs(checks) do
    give_back(KEYS[key + 1], KEYS[key + 2], KEYS[key + 3], check)
  end
  key = key + 3
end

for k = key + 1, #KEYS do
  redis.call('UNLINK', KEYS[k])
end

redis.call('SET', KEYS[1], ARGV[2])
return 1
