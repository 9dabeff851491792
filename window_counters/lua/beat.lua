-- The heartbeat of whoever grants a partition's leases: tells a Redis that has lost reservations from one that has not.
--
-- KEYS     mark, beat
-- ARGV[1]  the agent's name
-- ARGV[2]  the number of its last beat; 0 for the first
-- ARGV[3]  how long the longest reservation is kept, in milliseconds
-- Returns {now_ms, number, safe_from_ms, run_id, mark, why}: why reservations are in doubt until safe_from_ms, '' where
-- they were not put in doubt by this beat. 'fenced': another agent beats, and nothing was done.

local time = redis.call('TIME')
local now_ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local run_id = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
local agent, last = ARGV[1], tonumber(ARGV[2])
local text = redis.call('GET', KEYS[2])
local found = text and cjson.decode(text)
local why, safe_from_ms = '', found and found.safe_from_ms or 0

if not found then
  why = 'absent'
elseif found.run_id ~= run_id then
  why = 'another run of Redis'
elseif found.agent == agent and last > 0 then
  why = found.number == last and '' or 'an older state'
elseif last > 0 then
  return {now_ms, found.number, safe_from_ms, run_id, redis.call('GET', KEYS[1]), 'fenced'}
elseif now_ms < found.at_ms then
  why = 'a clock set back'
end
if why ~= '' then
  safe_from_ms = now_ms + tonumber(ARGV[3])
end
local number = found and found.number + 1 or 1
redis.call('SET', KEYS[2], cjson.encode({
  agent = agent, number = number, at_ms = now_ms, run_id = run_id, safe_from_ms = safe_from_ms,
}))
return {now_ms, number, safe_from_ms, run_id, redis.call('GET', KEYS[1]), why}
