-- KEYS: a slot's readers by the time when they came, and the answers whose readers vanished, and which were written
-- whole, by the time until which they wait; and the result of this step. ARGV: the step, and what it needs.
--
-- A step whose reply is lost is sent again, and must not be done again: it leaves its result until then.
local live, vanished, whole, result = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local SENT_AGAIN = 10000
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- reader, whether the call says that it is a retry, milliseconds: how much older other readers must be, and how long a
-- reader is remembered. Returns the answer that waits, and the milliseconds that it would have waited longer; or else
-- the number of older readers.
local function take(reader, retries, older, remembered)
  local before = redis.call('GET', result)
  if before then
    return {before, redis.call('PTTL', result)}
  end
  redis.call('ZADD', live, 'NX', now, reader)
  redis.call('ZREMRANGEBYSCORE', live, '-inf', now - remembered)
  redis.call('PEXPIRE', live, remembered)
  local waiting = redis.call('ZRANGEBYSCORE', vanished, now, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  if not waiting[1] and retries == '1' then
    waiting = redis.call('ZREVRANGEBYSCORE', whole, '+inf', now, 'WITHSCORES', 'LIMIT', 0, 1)
  end
  if waiting[1] then
    redis.call('ZREM', vanished, waiting[1])
    redis.call('ZREM', whole, waiting[1])
    redis.call('SET', result, waiting[1], 'PX', math.max(1, waiting[2] - now))
    return {waiting[1], waiting[2] - now}
  end
  return redis.call('ZCOUNT', live, '-inf', redis.call('ZSCORE', live, reader) - older)
end

-- reader.
local function go(reader)
  return redis.call('ZREM', live, reader)
end

-- reader, how it left, its answer, milliseconds: how long the answer waits.
local function leave(reader, how, answer, window)
  if not redis.call('SET', result, 1, 'NX', 'PX', SENT_AGAIN) then
    return 0
  end
  local list = how == 'whole' and whole or vanished
  redis.call('ZADD', list, now + window, answer)
  redis.call('PEXPIRE', list, math.max(3 * window, redis.call('PTTL', list)))
  return go(reader)
end

-- answer. Returns how many have waited: 1 or 0.
local function take_back(answer)
  local before = redis.call('GET', result)
  if before then
    return tonumber(before)
  end
  local found = redis.call('ZREM', vanished, answer) + redis.call('ZREM', whole, answer)
  redis.call('SET', result, found, 'PX', SENT_AGAIN)
  return found
end

-- answer. Returns what take_back does; or else, less than 0, how many milliseconds the answer still waits.
local function expire(answer)
  local waits = math.max(redis.call('ZSCORE', vanished, answer) or 0, redis.call('ZSCORE', whole, answer) or 0)
  return waits > now and now - waits or take_back(answer)
end

local steps = {take = take, go = go, leave = leave, take_back = take_back, expire = expire}
return steps[ARGV[1]](unpack(ARGV, 2))
