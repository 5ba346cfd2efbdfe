/**
 * Counting as a script of Redis: the rules of `counting.ts` over the rows of `windows.ts`, in one round trip. What a rule
 * says is in the comments there; the behaviour suite holds the two together.
 *
 * `rows` has a counter's owner and numbers by its id, `ends` when each ends, `owned` how many counters of sessions each
 * principal has. All three are in one slot of a cluster. Counters that are over go as others come.
 * @module
 */

/** Values for each use: its id, window, 1 for sliding, max, amount, the amount of all uses of the id, and its owner. */
export const VALUES_PER_USE = 7;

export const COUNTING_SCRIPT = `
local rows, ends, owned = KEYS[1], KEYS[2], KEYS[3]
local mode, maxCounters = ARGV[1], tonumber(ARGV[3])
local now = tonumber(ARGV[2])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local SLOTS, SWEEP, SWEEP_WHEN_FULL = 60, 20, 1000

local function text(number) return string.format('%.17g', number) end

local uses, entries, saved = {}, {}, {}
for at = 4, #ARGV, ${VALUES_PER_USE} do
  uses[#uses + 1] = {
    id = ARGV[at], window = tonumber(ARGV[at + 1]), sliding = ARGV[at + 2] == '1', max = tonumber(ARGV[at + 3]),
    amount = tonumber(ARGV[at + 4]), together = tonumber(ARGV[at + 5]), owner = ARGV[at + 6]
  }
end

local function total(use, row)
  if not use.sliding then return row[2] end
  local sum = 0
  for at = 3, #row, 4 do sum = sum + row[at] end
  return sum
end

local function endsAt(use, row)
  if not use.sliding then return row[1] + use.window end
  if #row == 0 then return -math.huge end
  return row[#row - 2] + use.window
end

local function startOf(use) return math.floor(now / use.window) * use.window end

-- True when the row was moved back in time, which must be kept.
local function advance(use, row)
  if use.sliding then
    local length = #row
    if length == 0 then return false end
    local newest = row[length - 2]
    local moved = now < newest - use.window
    if moved then
      for at = 1, length, 4 do
        row[at] = row[at] + now - newest
        row[at + 1] = row[at + 1] + now - newest
      end
    end
    local over = 0
    while over < length and row[over + 2] + use.window <= now do over = over + 4 end
    if over > 0 then
      for at = 1, length do row[at] = row[at + over] end
    end
    return moved
  end
  local start = startOf(use)
  local later = start > row[1]
  if later then
    row[2] = 0
    row[3] = math.max(now, row[3] + 1)
  elseif start >= row[1] - use.window then
    return false
  end
  row[1] = start
  return not later
end

local function add(use, row)
  if not use.sliding then
    row[2] = row[2] + use.amount
    return row[3]
  end
  local newest = #row - 4
  local at = now
  if newest >= 0 then at = math.max(now, row[newest + 2]) end
  if newest < 0 or at - row[newest + 1] >= use.window / SLOTS then
    local length = #row
    row[length + 1], row[length + 2], row[length + 3], row[length + 4] = at, at, use.amount, at
    return at
  end
  row[newest + 2] = at
  row[newest + 3] = row[newest + 3] + use.amount
  return row[newest + 4]
end

local function giveBack(use, row, ticket)
  if not use.sliding then
    if row[3] == ticket then row[2] = math.max(0, row[2] - use.amount) end
    return
  end
  for at = 1, #row, 4 do
    if row[at + 3] == ticket then row[at + 2] = math.max(0, row[at + 2] - use.amount) end
  end
end

local function fallsTo(use, row, room)
  if use.sliding then
    local left = total(use, row)
    for at = 1, #row, 4 do
      left = left - row[at + 2]
      if left <= room then return row[at + 1] + use.window end
    end
  end
  return endsAt(use, row)
end

local function load(id)
  if entries[id] == nil then
    local packed = redis.call('HGET', rows, id)
    if packed then entries[id] = cmsgpack.unpack(packed) else entries[id] = false end
  end
  return entries[id]
end

local function save(use, entry)
  local isNew = redis.call('HSET', rows, use.id, cmsgpack.pack(entry))
  redis.call('ZADD', ends, text(endsAt(use, entry[2])), use.id)
  if isNew == 1 and entry[1] ~= '' then redis.call('ZINCRBY', owned, 1, entry[1]) end
end

local function remove(id)
  local packed = redis.call('HGET', rows, id)
  redis.call('ZREM', ends, id)
  if not packed then return end
  redis.call('HDEL', rows, id)
  local owner = cmsgpack.unpack(packed)[1]
  if owner ~= '' and tonumber(redis.call('ZINCRBY', owned, -1, owner)) <= 0 then redis.call('ZREM', owned, owner) end
end

local function find(use)
  local entry = load(use.id)
  if entry and advance(use, entry[2]) then save(use, entry) end
  return entry
end

local function sweep(most)
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', ends, '-inf', text(now), 'LIMIT', 0, most)) do remove(id) end
end

if mode == 'give-back' then
  for _, use in ipairs(uses) do
    local entry = load(use.id)
    if entry then
      giveBack(use, entry[2], use.max)
      if total(use, entry[2]) > 0 then
        save(use, entry)
      else
        remove(use.id)
        entries[use.id] = false
      end
    end
  end
  return {}
end

local missing = {}

local function isFull()
  local ofSessions, owner = 0, nil
  for _, use in ipairs(missing) do
    if use.owner ~= '' then
      ofSessions = ofSessions + 1
      owner = owner or use.owner
    end
  end
  local own = 0
  if owner then own = tonumber(redis.call('ZSCORE', owned, owner) or 0) + ofSessions end
  if own > maxCounters / 2 then return true end
  local excess = redis.call('HLEN', rows) + #missing - maxCounters
  if excess <= 0 then return false end
  local most = tonumber(redis.call('ZREVRANGE', owned, 0, 0, 'WITHSCORES')[2] or 0)
  return own >= most or excess > most
end

local counts = {}
if mode == 'read' then
  for at, use in ipairs(uses) do
    local entry = find(use)
    local used = entry and total(use, entry[2]) or 0
    counts[at] = text(used) .. ' ' .. (used > 0 and text(endsAt(use, entry[2])) or '')
  end
end

local refusedAt, resetsAt, seen = nil, nil, {}
for at, use in ipairs(uses) do
  local entry = find(use)
  if not entry then
    if not seen[use.id] then missing[#missing + 1] = use end
    seen[use.id] = true
  elseif not (total(use, entry[2]) + use.together <= use.max) then
    local falls = fallsTo(use, entry[2], use.max - use.together)
    if not refusedAt or falls > resetsAt then refusedAt, resetsAt = at, falls end
  end
end
if refusedAt then return { 'reached', text(now), refusedAt, text(resetsAt), counts } end
if #missing > 0 then
  sweep(SWEEP)
  if isFull() then sweep(SWEEP_WHEN_FULL) end
  if isFull() then
    local soonest = redis.call('ZRANGE', ends, 0, 0, 'WITHSCORES')[2]
    return { 'full', text(now), 1, soonest or '', counts }
  end
end
if mode == 'read' then return { 'fits', text(now), #missing, '', counts } end

local tickets = {}
for at, use in ipairs(uses) do
  local entry = load(use.id)
  if not entry then
    entry = { use.owner, use.sliding and {} or { startOf(use), 0, now } }
    entries[use.id] = entry
  end
  tickets[at] = text(add(use, entry[2]))
end
for _, use in ipairs(uses) do
  if not saved[use.id] then save(use, entries[use.id]) end
  saved[use.id] = true
end
return { 'granted', text(now), #missing, '', tickets }
`;
