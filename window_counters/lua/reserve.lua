-- Asks what enforced budgets leave for a call, and reserves its estimate on all of them or on none; all of one instant.
--
-- KEYS     mark, beat, leases, reserved sums, reservations, deadlines; then documents; then slots
-- ARGV[1]  MessagePack:
--            docs      how many documents
--            fields    for each slot, its field names: admitted and recorded sums in turn
--            stagings  of each enforced staging that looks at the call {name, whether it blocks the call at any sum}
--            limits    for each of their budgets that may block: {place in `stagings`, field in the reserved sums, cap as
--                      decimal text, first and last place in the slots}
--            check     the check's id: asked again it reserves nothing more
--            amount    the estimate, nano-USD as decimal text; '' reserves nothing
--            keep_ms   how long the reservation is kept
--            stale_ms  how long ago the counters may have been level with the log
-- Returns {mark, {document, ...}, {value, ...}, now_ms, {{state, lease}, ...}, {reserved sum, ...}, outcome, reservation}
--   state    of a staging's lease: 'valid', 'withdrawn', 'none', 'ended', 'moved' (of another run of Redis), 'behind' (of
--            a later mark than this one), 'stale', 'doubted' (reservations may have been lost)
--   outcome  'reserved', 'held' (by this check before: `reservation` says what), 'refused' (by a cap, or by a staging that
--            blocks at any sum), 'asked' (nothing was to be reserved)
-- The clock is Redis's own, so that whoever grants leases and whoever obeys them read the same one.

local CHUNK = 1000 -- arguments of one call; Lua's stack holds 8,000
local LIMB = 1000000000 -- sums are two numbers of base 10^9: Lua's numbers are doubles

local plan = cmsgpack.unpack(ARGV[1])
local MARK, BEAT, LEASES, RESERVED, RESERVATIONS, DEADLINES = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local key = 6

local docs = {}
for i = 1, plan.docs do
  docs[i] = redis.call('GET', KEYS[key + i])
end
key = key + plan.docs

local cells, n, ends = {}, 0, {[0] = 0}
for k, names in ipairs(plan.fields) do
  for start = 1, #names, CHUNK do
    local values = redis.call('HMGET', KEYS[key + k], unpack(names, start, math.min(start + CHUNK - 1, #names)))
    for i = 1, #values do
      n = n + 1
      cells[n] = values[i]
    end
  end
  ends[k] = n
end

local time = redis.call('TIME')
local now_ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local run_id = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
local mark = redis.call('GET', MARK)
local offset = mark and tonumber(string.match(mark, ':(%d+)$')) or -1
local beat = redis.call('GET', BEAT)

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
  elseif now_ms - lease.fresh_ms > plan.stale_ms then
    return 'stale'
  elseif doubted then
    return 'doubted'
  end
  return 'valid'
end

local states, valid, refused = {}, {}, false
for i, staging in ipairs(plan.stagings) do
  local text = redis.call('HGET', LEASES, staging[1])
  local state = state_of(text)
  states[i], valid[i] = {state, text or ''}, state == 'valid'
  refused = refused or (valid[i] and staging[2])
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

-- Whether the admitted sums of some slots, what is reserved and the amount are more than the cap.
local function is_over(limit, reserved)
  local high, low = 0, 0
  local function add(text)
    local more_high, more_low = limbs(text)
    high, low = high + more_high, low + more_low
  end
  for i = ends[limit[4] - 1] + 1, ends[limit[5]], 2 do
    if cells[i] then
      add(cells[i])
    end
  end
  add(reserved)
  add(plan.amount)
  high, low = high + math.floor(low / LIMB), low % LIMB
  local cap_high, cap_low = limbs(limit[3])
  return high > cap_high or (high == cap_high and low > cap_low)
end

local held = redis.call('HGET', RESERVATIONS, plan.check)
local sums, mine = {}, {}
for i, limit in ipairs(plan.limits) do
  sums[i] = redis.call('HGET', RESERVED, limit[2]) or '0'
  if valid[limit[1]] and plan.amount ~= '' and not held then
    refused = refused or is_over(limit, sums[i])
    mine[#mine + 1] = limit[2]
  end
end

local function reserve()
  local fields = {}
  for i, field in ipairs(plan.amount ~= '0' and mine or {}) do
    redis.call('HINCRBY', RESERVED, field, plan.amount)
    fields[i] = {field, plan.amount}
  end
  local deadline_ms = now_ms + plan.keep_ms
  local text = cjson.encode({deadline_ms = deadline_ms, fields = fields})
  redis.call('HSET', RESERVATIONS, plan.check, text)
  redis.call('ZADD', DEADLINES, deadline_ms, plan.check)
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

return {mark, docs, cells, now_ms, states, sums, outcome, held or ''}
