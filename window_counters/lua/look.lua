-- Reads the cells of windows, all of one instant. Writes nothing, and adds nothing up: Lua's numbers are doubles.
--
-- KEYS     the mark, then in this order: tenants' documents, slots
-- ARGV[1]  MessagePack:
--            docs   how many documents
--            heads  lists of what the names of fields begin with
--            slots  for each slot in turn, the place of its list of heads and the place of its key
-- ARGV[2]  on: the keys; a field's name is its head and the key
-- Returns {mark, {document, ...}, '[value,...]'}; values (int64 as decimal text, 0 where absent) stand in the order of
-- slots and heads, in one text, because a list of hundreds costs more than to read them. An absent document is nil.
-- Places count from 1; a list has at most 1,000 heads, for Lua's stack holds 8,000.

local plan = cmsgpack.unpack(ARGV[1])

local docs = {}
for i = 1, plan.docs do
  docs[i] = redis.call('GET', KEYS[1 + i])
end

local named = {} -- by list of heads and by key, the names of the fields
local function fields(list, key)
  local by_key = named[list] or {}
  named[list] = by_key
  local names = by_key[key]
  if not names then
    names = {}
    for i, head in ipairs(plan.heads[list]) do
      names[i] = head .. ARGV[1 + key]
    end
    by_key[key] = names
  end
  return names
end

local slots, slot = plan.slots, 1 + plan.docs
local cells, n = {}, 0
for i = 1, #slots, 2 do
  slot = slot + 1
  local found = redis.call('HMGET', KEYS[slot], unpack(fields(slots[i], slots[i + 1])))
  for k = 1, #found do
    cells[n + k] = found[k] or '0'
  end
  n = n + #found
end

return {redis.call('GET', KEYS[1]), docs, '[' .. table.concat(cells, ',') .. ']'}
