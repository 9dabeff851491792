-- Asks what enforced budgets leave for a call, and reserves its estimate on all of them or on none; all of one instant.
--
-- KEYS     mark, beat, leases, reserved sums, reservations, deadlines; then documents; then slots
-- ARGV[1]  MessagePack, the same for every check of a class of calls; places count from 1:
--            docs      how many documents
--            heads     lists of what the names of fields begin with
--            slots     for each slot in turn, the place of its list of heads and the place of its key
--            stagings  the names of the enforced stagings that may look at the call
--            limits    for each of their budgets that may block: {place in `stagings`, what its field in the reserved
--                      sums begins with, place of its key, cap as decimal text, first and last place in the values,
--                      whether a breach asks for a review}
-- ARGV[2]  the check's id: asked again it reserves nothing more
-- ARGV[3]  the estimate, nano-USD as decimal text; '' reserves nothing
-- ARGV[4]  how long the reservation is kept, in milliseconds
-- ARGV[5]  how long ago the counters may have been level with the log, in milliseconds
-- ARGV[6]  of each staging one character: '-' it is not asked; 'f' its budgets are; 'b' it blocks the call at any sum;
--          'a' its budgets are, and the review that one of them wants is approved
-- ARGV[7]  on: the keys; a field's name is its head and the key
-- Returns {mark, {document, ...}, '[number,...]', now_ms, {state, lease, ...}, outcome, reservation}
--   numbers  the values of the slots (int64 as decimal text, 0 where absent) in the order of slots and heads, then what
--            is reserved of each limit; in one text, because a list of hundreds costs more than to read them
--   state    of a staging's lease: 'valid', 'withdrawn', 'none', 'ended', 'moved' (of another run of Redis), 'behind' (of
--            a later mark than this one), 'stale', 'doubted' (reservations may have been lost); '' where it is not asked
--   outcome  'reserved', 'held' (by this check before: `reservation` says what), 'refused' (by a cap, or by a staging that
--            blocks at any sum), 'asked' (nothing was to be reserved)
-- The clock is Redis's own, so that whoever grants leases and whoever obeys them read the same one.

local LIMB = 1000000000 -- sums are two numbers of base 10^9: Lua's numbers are doubles
local FIRST_KEY = 6 -- arguments before the keys

local plan = cmsgpack.unpack(ARGV[1])
local MARK, BEAT, LEASES, RESERVED, RESERVATIONS, DEADLINES = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local check, amount, standings = ARGV[2], ARGV[3], ARGV[6]
local key = 6

local docs = {}
for i = 1, plan.docs do
  docs[i] = redis.call('GET', KEYS[key + i])
end
key = key + plan.docs

local cells, n, slots = {}, 0, plan.slots
for i = 1, #slots, 2 do
  key = key + 1
  local names, ends = {}, ARGV[FIRST_KEY + slots[i + 1]]
  for k, head in ipairs(plan.heads[slots[i]]) do
    names[k] = head .. ends
  end
  local found = redis.call('HMGET', KEYS[key], unpack(names))
  for k = 1, #found do
    cells[n + k] = found[k] or '0'
  end
  n = n + #found
end

local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local run_id = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
local mark, beat = redis.call('GET', MARK), redis.call('GET', BEAT)
local offset = mark and tonumber(string.match(mark, ':(%d+)$')) or -1

local function is_doubted()
  local found = beat and cjson.decode(beat)
  return not found or found.run_id ~= run_id or now_ms < found.safe_from_ms
end

local doubted = is_doubted()

local function state_of(text)
  if not text then
    return 'none'
  end
  local lease = cjson.decode(text)
  if lease.withdrawn_ms then
    return 'withdrawn'
  elseif lease.run_id ~= run_id then
    return 'moved'
  elseif now_ms < lease.granted_ms or lease.until_ms <= now_ms then
    return 'ended'
  elseif lease.mark > offset then
    return 'behind'
  elseif now_ms - lease.fresh_ms > tonumber(ARGV[5]) then
    return 'stale'
  elseif doubted then
    return 'doubted'
  end
  return 'valid'
end

local leases, standing, refused = {}, {}, false -- standing: of a staging with a valid lease
for i, staging in ipairs(plan.stagings) do
  local asked, state, text = string.sub(standings, i, i), '', false
  if asked ~= '-' then
    text = redis.call('HGET', LEASES, staging)
    state = state_of(text)
  end
  leases[2 * i - 1], leases[2 * i] = state, text or ''
  standing[i] = state == 'valid' and asked
  refused = refused or standing[i] == 'b'
end

local function limbs(text)
  if not string.match(text, '^%d+$') then
    error({err = 'ERR value is not an integer or out of range'})
  end
  if #text <= 9 then
    return 0, tonumber(text)
  end
  return tonumber(string.sub(text, 1, -10)), tonumber(string.sub(text, -9))
end

-- Whether the admitted sums of a window, what is reserved and the amount are more than the cap.
local function is_over(limit, reserved)
  local high, low = limbs(amount)
  local function add(text)
    local more_high, more_low = limbs(text)
    high, low = high + more_high, low + more_low
  end
  for i = limit[5], limit[6], 2 do
    add(cells[i])
  end
  add(reserved)
  high, low = high + math.floor(low / LIMB), low % LIMB
  local cap_high, cap_low = limbs(limit[4])
  return high > cap_high or (high == cap_high and low > cap_low)
end

local held = redis.call('HGET', RESERVATIONS, check)
local mine = {}
for i, limit in ipairs(plan.limits) do
  local own = standing[limit[1]]
  local field, reserved = limit[2] .. ARGV[FIRST_KEY + limit[3]], '0'
  if string.sub(standings, limit[1], limit[1]) ~= '-' then
    reserved = redis.call('HGET', RESERVED, field) or '0'
  end
  cells[n + i] = reserved
  if own and amount ~= '' and not held then
    refused = refused or ((own ~= 'a' or not limit[7]) and is_over(limit, reserved))
    mine[#mine + 1] = field
  end
end

local function reserve()
  local fields = {}
  for i, field in ipairs(amount ~= '0' and mine or {}) do
    redis.call('HINCRBY', RESERVED, field, amount)
    fields[i] = {field, amount}
  end
  local deadline_ms = now_ms + tonumber(ARGV[4])
  local text = cjson.encode({deadline_ms = deadline_ms, fields = fields})
  redis.call('HSET', RESERVATIONS, check, text)
  redis.call('ZADD', DEADLINES, deadline_ms, check)
end

local outcome = 'asked'
if held then
  outcome = 'held'
elseif refused then
  outcome = 'refused'
elseif #mine > 0 then
  reserve()
  outcome = 'reserved'
end

return {mark, docs, '[' .. table.concat(cells, ',') .. ']', now_ms, leases, outcome, held or ''}
