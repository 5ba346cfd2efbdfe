/**
 * Keys and values as a script of Redis. Of each namespace, `values` has the JSON texts, `order` when each key was first
 * set, `expiry` when some of them are gone, and `sums` the bytes and the number of the next key.
 * @module
 */

/** Answers `full` in place of a value when the namespace would hold too many bytes. */
export const KEY_VALUE_SCRIPT = `
local values, order, expiry, sums = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local op, key = ARGV[1], ARGV[3]
local now = tonumber(ARGV[2])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end

local function remove(each)
  local bytes = #each + redis.call('HSTRLEN', values, each) + 8
  redis.call('HDEL', values, each)
  redis.call('ZREM', order, each)
  redis.call('ZREM', expiry, each)
  redis.call('HINCRBY', sums, 'bytes', -bytes)
end

if op == 'get' then
  local expires = redis.call('ZSCORE', expiry, key)
  if expires and tonumber(expires) <= now then return false end
  return redis.call('HGET', values, key)
end

for _, each in ipairs(redis.call('ZRANGEBYSCORE', expiry, '-inf', now)) do remove(each) end

if op == 'take' then
  local value = redis.call('HGET', values, key)
  if value then remove(key) end
  return value
end

if op == 'entries' then
  local found = {}
  for _, each in ipairs(redis.call('ZRANGE', order, 0, -1)) do
    if string.sub(each, 1, #key) == key then
      found[#found + 1] = each
      found[#found + 1] = redis.call('HGET', values, each)
    end
  end
  return found
end

local there = redis.call('HEXISTS', values, key) == 1
if op == 'set-if-absent' and there then return 'there' end
local value, most, lasts = ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])
local more = #key + #value + 8
if there then more = more - #key - redis.call('HSTRLEN', values, key) - 8 end
if tonumber(redis.call('HGET', sums, 'bytes') or 0) + more > most then return 'full' end
redis.call('HSET', values, key, value)
redis.call('HINCRBY', sums, 'bytes', more)
if not there then redis.call('ZADD', order, redis.call('HINCRBY', sums, 'next', 1), key) end
if lasts then redis.call('ZADD', expiry, string.format('%.17g', now + lasts), key) else redis.call('ZREM', expiry, key) end
return 'set'
`;
