-- Applies operations to one account: what domain/leases.py says, rule for rule, where the account is kept.
--
-- KEYS[1]  a hash. "seen": the latest moment; "s:<slot>": units used; "l:<holder>": granted settled returned position
--          expires_at is_closed. A moment is in Unix milliseconds.
-- ARGV[1]  now, '' for the server's clock
-- ARGV[2]  the window: 'rolling', 'calendar', 'lifetime', or 'none' where requests at the same time are counted
-- ARGV[3]  rolling: milliseconds
-- ARGV[4]  rolling: a slot's milliseconds; calendar: no window has more milliseconds than this
-- ARGV[5]  calendar: windows as 'begin-end,begin-end': time zones are not known here
-- ARGV[6]  for how long a lease is remembered after nothing charged to it counts, in milliseconds
-- ARGV[7..] the operations, each a letter and its figures:
--          A holder maximum seen needed wanted returned expires_at | S holder since position amount leased at
--          C holder | R | L (look: changes nothing)
-- Returns a flat list: of each operation used, leased, granted, position, frees_at, now, is_applied ('1', '0'), settled;
--          of L used, leased, began_at, ends_at; what there is not is ''. If the window of a moment is not among those
--          given: 'window', moment; and nothing is done.

local NONE, ROLLING, CALENDAR, LIFETIME = 'none', 'rolling', 'calendar', 'lifetime'
local window, span, length, remembered = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[6])

-- Units and positions are exact far beyond 2^53, where Lua's numbers end: two limbs, of which the lower has nine digits
-- and is never negative.
local BASE = 1000000000

local function limbs(high, low)
  local carry = math.floor(low / BASE)
  return {high + carry, low - carry * BASE}
end

local ZERO = limbs(0, 0)

local function plus(a, b) return limbs(a[1] + b[1], a[2] + b[2]) end
local function minus(a, b) return limbs(a[1] - b[1], a[2] - b[2]) end
local function less(a, b) return a[1] < b[1] or (a[1] == b[1] and a[2] < b[2]) end
local function same(a, b) return a[1] == b[1] and a[2] == b[2] end
local function least(a, b) return less(b, a) and b or a end
local function most(a, b) return less(a, b) and b or a end
local function positive(a) return less(ZERO, a) end

local function quarter(a)
  local high = math.floor(a[1] / 4)
  return {high, math.floor(((a[1] - high * 4) * BASE + a[2]) / 4)}
end

local function parsed(text)
  if string.sub(text, 1, 1) == '-' then return minus(ZERO, parsed(string.sub(text, 2))) end
  if #text <= 9 then return {0, tonumber(text)} end
  return {tonumber(string.sub(text, 1, -10)), tonumber(string.sub(text, -9))}
end

local function whole(number) return string.format('%.0f', number) end

local function told(a)
  if a[1] < 0 then return '-' .. told(minus(ZERO, a)) end
  if a[1] == 0 then return whole(a[2]) end
  return string.format('%.0f%09.0f', a[1], a[2])
end

-- The account, and the moment.

local slots, leases, changed, seen = {}, {}, {}, 0

local function loaded()
  local fields = redis.call('HGETALL', KEYS[1])
  for index = 1, #fields, 2 do
    local kind, name, value = string.sub(fields[index], 1, 2), string.sub(fields[index], 3), fields[index + 1]
    if kind == 's:' then
      slots[tonumber(name)] = parsed(value)
    elseif kind == 'l:' then
      local granted, settled, returned, position, expires_at, is_closed =
        string.match(value, '^(%d+) (%-?%d+) (%-?%d+) (%d+) (%-?%d+) ([01])$')
      leases[name] = {
        granted = parsed(granted), settled = parsed(settled), returned = parsed(returned), position = parsed(position),
        expires_at = tonumber(expires_at), is_closed = is_closed == '1',
      }
    else
      seen = tonumber(value)
    end
  end
end

local function clock()
  if ARGV[1] ~= '' then return tonumber(ARGV[1]) end
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

-- Windows.

local windows = {}

local function bounds(at)
  for _, pair in ipairs(windows) do
    if pair[1] <= at and at < pair[2] then return pair[1], pair[2] end
  end
  error({window = at})
end

local function counts_from(now)
  if window == ROLLING then return math.floor((now - span) / length) * length end
  if window == CALENDAR then return (bounds(now)) end
  if window == LIFETIME then return 0 end
  return now + 1
end

local function slot_of(at)
  if window == ROLLING then return math.floor(at / length) end
  if window == CALENDAR then return bounds(at) / 1000 end
  return 0
end

-- nil: never.
local function leaves_at(at)
  if window == ROLLING then return (math.floor(at / length) + 1) * length + span end
  if window == CALENDAR then
    local _, ends_at = bounds(at)
    return ends_at
  end
  return nil
end

local function began_at(slot)
  return slot * (window == ROLLING and length or 1000)
end

-- What the account shows.

local function outstanding(lease)
  return most(ZERO, minus(minus(lease.granted, lease.settled), lease.returned))
end

local function used()
  local sum = ZERO
  for _, units in pairs(slots) do sum = plus(sum, units) end
  return sum
end

local function leased(now)
  local since, sum = counts_from(now), ZERO
  for _, lease in pairs(leases) do
    if lease.expires_at >= since then sum = plus(sum, outstanding(lease)) end
  end
  return sum
end

local function oldest()
  local first
  for slot in pairs(slots) do
    if not first or slot < first then first = slot end
  end
  return first
end

local function ends_at(now)
  if window == CALENDAR then return leaves_at(now) end
  local slot = oldest()
  return window == ROLLING and slot and leaves_at(began_at(slot)) or nil
end

local function frees_at(now, short)
  if not positive(short) then return window ~= NONE and ends_at(now) or nil end
  if window == LIFETIME then return nil end
  local leaves, since = {}, counts_from(now)
  for slot, units in pairs(slots) do table.insert(leaves, {leaves_at(began_at(slot)), units}) end
  for _, lease in pairs(leases) do
    local units = outstanding(lease)
    if positive(units) and lease.expires_at >= since then
      table.insert(leaves, {window == NONE and lease.expires_at or leaves_at(lease.expires_at), units})
    end
  end
  table.sort(leaves, function(a, b) return a[1] < b[1] end)
  for _, leaving in ipairs(leaves) do
    short = minus(short, leaving[2])
    if not positive(short) then return leaving[1] end
  end
  return nil
end

-- Operations.

local function keep(holder, lease)
  if not (positive(lease.granted) or positive(lease.position)) then
    if not leases[holder] then return end
    lease = nil
  end
  leases[holder] = lease
  changed['l:' .. holder] = true
end

local function lease_of(holder)
  local lease = leases[holder]
  if not lease then
    return {granted = ZERO, settled = ZERO, returned = ZERO, position = ZERO, expires_at = 0, is_closed = false}
  end
  local copy = {}
  for name, value in pairs(lease) do copy[name] = value end
  return copy
end

local function is_over(lease, now)
  if window == LIFETIME then
    return not positive(outstanding(lease)) and lease.expires_at < now - remembered
  end
  return lease.expires_at < counts_from(now) - remembered
end

local function prune(now)
  if window == NONE then
    slots = {}
  else
    local first = slot_of(counts_from(now))
    for slot in pairs(slots) do
      if slot < first then
        slots[slot] = nil
        changed['s:' .. whole(slot)] = true
      end
    end
  end
  for holder, lease in pairs(leases) do
    if is_over(lease, now) then
      leases[holder] = nil
      changed['l:' .. holder] = true
    end
  end
end

-- Whether the lease was renewed, and how many units must become free for what is needed.
local function ask(now, holder, maximum, known, needed, wanted, returned, expires_at)
  local lease = lease_of(holder)
  if lease.is_closed then return false, ZERO end
  if positive(lease.granted) then
    lease.granted, lease.returned = most(lease.granted, known), most(lease.returned, returned)
  else
    lease.granted, lease.returned, lease.settled = known, returned, most(ZERO, minus(known, returned))
  end
  local is_late = expires_at <= now
  local has_lapsed = window ~= NONE and lease.expires_at < counts_from(now)
  if has_lapsed and not is_late then lease.granted = least(lease.granted, known) end
  if is_late or (has_lapsed and positive(outstanding(lease))) then
    keep(holder, lease)
    return false, ZERO
  end
  lease.expires_at = math.max(lease.expires_at, expires_at)
  keep(holder, lease)
  local free = minus(minus(maximum, used()), leased(now))
  local unseen = minus(lease.granted, known)
  needed = most(ZERO, minus(needed, unseen))
  if less(free, needed) then return true, minus(needed, free) end
  local more = most(needed, least(minus(wanted, unseen), quarter(free)))
  if positive(more) then
    lease.granted = plus(lease.granted, more)
    keep(holder, lease)
  end
  return true, ZERO
end

local function charge(now, amount, at)
  if window == NONE or not positive(amount) or at < counts_from(now) then return end
  local slot = slot_of(at)
  slots[slot] = plus(slots[slot] or ZERO, amount)
  changed['s:' .. whole(slot)] = true
end

local function settle(now, holder, since, position, amount, spent, at)
  local lease = lease_of(holder)
  if not same(lease.position, since) then return false end
  local over = least(spent, outstanding(lease))
  local covered = least(amount, over)
  at = math.min(at, now)
  charge(now, covered, math.min(at, lease.expires_at))
  charge(now, minus(amount, covered), at)
  lease.position, lease.settled = position, plus(lease.settled, over)
  if not positive(outstanding(lease)) then lease.expires_at = math.max(lease.expires_at, now) end
  keep(holder, lease)
  return true
end

local function close(now, holder)
  local lease = leases[holder]
  if not lease or lease.is_closed then return end
  lease = lease_of(holder)
  lease.returned, lease.expires_at, lease.is_closed = minus(lease.granted, lease.settled), now, true
  keep(holder, lease)
end

local function reset()
  for slot in pairs(slots) do changed['s:' .. whole(slot)] = true end
  slots = {}
end

-- Keeping.

-- How long the key must be kept from now on at least, in milliseconds; nil: for ever.
local function lasting(now)
  local last, tail = now + 60000, window == ROLLING and span + length or window == CALENDAR and length or 0
  if window == LIFETIME and next(slots) then return nil end
  for slot in pairs(slots) do last = math.max(last, began_at(slot) + tail) end
  for _, lease in pairs(leases) do
    if window == LIFETIME and positive(outstanding(lease)) then return nil end
    last = math.max(last, lease.expires_at + remembered + tail)
  end
  return last - now + 1000
end

local function store(now, server_now)
  local sets, drops = {'seen', whole(now)}, {}
  for name in pairs(changed) do
    local kind, rest = string.sub(name, 1, 2), string.sub(name, 3)
    local lease, units = leases[rest], slots[tonumber(rest)]
    if kind == 's:' and units then
      table.insert(sets, name)
      table.insert(sets, told(units))
    elseif kind == 'l:' and lease then
      table.insert(sets, name)
      table.insert(sets, table.concat({
        told(lease.granted), told(lease.settled), told(lease.returned), told(lease.position), whole(lease.expires_at),
        lease.is_closed and '1' or '0',
      }, ' '))
    else
      table.insert(drops, name)
    end
  end
  redis.call('HSET', KEYS[1], unpack(sets))
  if #drops > 0 then redis.call('HDEL', KEYS[1], unpack(drops)) end
  local milliseconds = lasting(server_now)
  if milliseconds and milliseconds < 2 ^ 53 then
    redis.call('PEXPIRE', KEYS[1], whole(milliseconds))
  else
    redis.call('PERSIST', KEYS[1])
  end
end

local function text_of(moment) return moment and whole(moment) or '' end

local function applied(now)
  local replies, changes, index = {}, false, 7
  local function figure(offset) return parsed(ARGV[index + offset]) end
  local function moment(offset) return tonumber(ARGV[index + offset]) end
  while index <= #ARGV do
    local letter, holder, done, short, count = ARGV[index], ARGV[index + 1], true, ZERO, 1
    prune(now)
    if letter == 'A' then
      done, short = ask(now, holder, figure(2), figure(3), figure(4), figure(5), figure(6), moment(7))
      count = 8
    elseif letter == 'S' then
      done = settle(now, holder, figure(2), figure(3), figure(4), figure(5), moment(6))
      count = 7
    elseif letter == 'C' then
      close(now, holder)
      count = 2
    elseif letter == 'R' then
      reset()
      holder = nil
    end
    if letter == 'L' then
      local finish = window ~= NONE and ends_at(now) or nil
      local begin = finish and (oldest() and began_at(oldest()) or counts_from(now)) or nil
      for _, part in ipairs({told(used()), told(leased(now)), text_of(begin), text_of(finish)}) do
        table.insert(replies, part)
      end
    else
      local lease = lease_of(holder)
      changes = true
      for _, part in ipairs({
        told(used()), told(leased(now)), told(lease.granted), told(lease.position), text_of(frees_at(now, short)),
        whole(now), done and '1' or '0', told(lease.settled),
      }) do
        table.insert(replies, part)
      end
    end
    index = index + count
  end
  return replies, changes
end

for begin, finish in string.gmatch(ARGV[5], '(%-?%d+)%-(%-?%d+)') do
  table.insert(windows, {tonumber(begin), tonumber(finish)})
end
loaded()
local server_now = clock()
-- An hour: STANDSTILL of domain/leases.py.
local now = (server_now < seen and seen <= server_now + 3600000) and seen or server_now
local is_done, replies, changes = pcall(applied, now)
if not is_done then
  if type(replies) == 'table' and replies.window then return {'window', whole(replies.window)} end
  error(replies)
end
if changes then store(now, server_now) end
return replies
