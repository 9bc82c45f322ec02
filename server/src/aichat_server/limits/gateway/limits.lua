-- Rate limits, counted for all processes by Redis's own clock. One call is one step that nothing comes between.
--
-- A limit per minute is a hash of seconds and what was used in each; a second counts until all of it is more than a
-- minute ago. A limit of open streams is a sorted set of their names, scored by when each expires unless it is renewed.
-- limits/domain/local_limits.py counts by the same rules.
local WINDOW = 60
local time = redis.call('TIME')
local now = tonumber(time[1])
local moment = now + tonumber(time[2]) / 1000000

-- The sum of what still counts in a window, and its seconds.
local function read(key)
    local used, seconds, amounts = 0, {}, {}
    local entries = redis.call('HGETALL', key)
    for i = 1, #entries, 2 do
        local second, amount = tonumber(entries[i]), tonumber(entries[i + 1])
        -- One that has yet to come is of a clock that was ahead, such as another machine's before a failover.
        if second + WINDOW < now or second > now then
            redis.call('HDEL', key, entries[i])
        else
            used = used + amount
            amounts[second] = amount
            seconds[#seconds + 1] = second
        end
    end
    return used, seconds, amounts
end

-- How long until `needed` of what was used counts no more, in milliseconds.
local function wait(seconds, amounts, needed)
    table.sort(seconds)
    local last = now
    for _, second in ipairs(seconds) do
        last = second
        needed = needed - amounts[second]
        if needed <= 0 then break end
    end
    return math.ceil((last + WINDOW + 1 - moment) * 1000)
end

-- KEYS: the windows of requests, those of tokens, and the streams, the organisation's last.
-- ARGV: how many windows of requests, how many windows, the stream's name, its seconds; then for each key the limit,
-- and for each window what is taken.
-- Gives {1 if taken or 2 if the stream was open, the second, the room: the least that any of the limits has left, in
-- thousandths of that limit; then what is used of each window that counts}, or {0, the key's number, what is used, the
-- wait or -1}.
local function take(requests, windows, name, seconds, ...)
    local numbers = {...}
    local keys = #KEYS
    local joined = keys > windows and redis.call('ZSCORE', KEYS[keys], name)
    if joined and tonumber(joined) > moment then
        windows, keys = requests, requests
    else
        joined = false
    end
    local refusal, room, answer = {0, 0, 0, -2}, 1000, {joined and 2 or 1, now}
    for i = 1, keys do
        local most, used, delay = tonumber(numbers[i]), 0, -1
        if i <= windows then
            local amount, at, amounts = tonumber(numbers[#KEYS + i]), nil, nil
            used, at, amounts = read(KEYS[i])
            room = math.min(room, math.floor(1000 * (most - used - amount) / math.max(most, 1)))
            answer[3 + i] = used + amount
            if used + amount > most then
                delay = wait(at, amounts, used + amount - most)
            else
                delay = nil
            end
        else
            redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', moment)
            redis.call('ZREMRANGEBYSCORE', KEYS[i], now + seconds + 2, '+inf')
            used = redis.call('ZCARD', KEYS[i])
            room = math.min(room, math.floor(1000 * (most - used - 1) / most))
            if used < most then delay = nil end
        end
        if delay and delay > refusal[4] then refusal = {0, i, used, delay} end
    end
    if refusal[2] > 0 then return refusal end
    for i = 1, keys do
        if i <= windows then
            redis.call('HINCRBY', KEYS[i], now, numbers[#KEYS + i])
            redis.call('EXPIRE', KEYS[i], WINDOW + 2)
        else
            redis.call('ZADD', KEYS[i], moment + seconds, name)
            redis.call('EXPIRE', KEYS[i], seconds)
        end
    end
    answer[3] = room
    return answer
end

-- KEYS: windows of tokens, then streams. ARGV: how many windows, the stream's name, the second it was taken in; then
-- for each window what to add.
local function finish(windows, name, second, ...)
    local changes = {...}
    for i, key in ipairs(KEYS) do
        if i > windows then
            redis.call('ZREM', key, name)
        elseif redis.call('HEXISTS', key, second) == 1 then
            redis.call('HINCRBY', key, second, changes[i])
        end
    end
end

-- KEYS: streams. ARGV: their seconds, then the names of those that are still open.
local function renew(seconds, ...)
    for _, key in ipairs(KEYS) do
        for _, name in ipairs({...}) do
            redis.call('ZADD', key, moment + seconds, name)
        end
        redis.call('EXPIRE', key, seconds)
    end
end

if ARGV[1] == 'take' then
    return take(tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4], tonumber(ARGV[5]), unpack(ARGV, 6))
elseif ARGV[1] == 'end' then
    return finish(tonumber(ARGV[2]), ARGV[3], ARGV[4], unpack(ARGV, 5))
end
return renew(tonumber(ARGV[2]), unpack(ARGV, 3))
