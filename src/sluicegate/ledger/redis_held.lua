-- Notes which leases a node may have, before they are given: held() reads it, so it must never lack one.
--
-- KEYS[1]: a sorted set of a node, "account\nholder" with the moment (Unix ms) from which that lease cannot count.
-- ARGV[1]: now, in Unix ms. ARGV[2]: GT to add entries or move their moments on, XX to set those of entries there are.
-- ARGV[3..]: moment, member, moment, member ...
-- Members leave when their moment has passed, and the set when the last one has.
local now = tonumber(ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('(%.0f', now))
for index = 3, #ARGV, 2 do
  redis.call('ZADD', KEYS[1], ARGV[2], ARGV[index], ARGV[index + 1])
end
local latest = redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')
if latest[2] then
  redis.call('PEXPIRE', KEYS[1], string.format('%.0f', tonumber(latest[2]) - now + 1))
end
return redis.status_reply('OK')
