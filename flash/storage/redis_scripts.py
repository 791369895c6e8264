"""What must happen at once in Redis, as Lua scripts.

A topic is a hash ``{prefix}:topic:{name}`` (``seq`` the newest number, ``ttl`` in ms, ``run`` the run of the server)
and a stream ``{prefix}:stream:{name}`` whose ids are the numbers. A lease is a hash ``{prefix}:lease:{name}``; its last
token is kept in ``{prefix}:token:{name}``.
"""

from __future__ import annotations

# What a Redis that has restarted, or whose replica took over, has lost is not known: a new run of the server begins the
# topic anew, from the time in microseconds, so that no number stands for two messages and old places are told of a gap.
# The first message is marked ("f"): who begins at 0 knows that nothing before it has been trimmed.
# KEYS: topic, stream. ARGV: message, buffer, ttl in ms or 0.
PUBLISH = """
local info = redis.pcall('INFO', 'server')
local run = type(info) == 'string' and string.match(info, 'run_id:(%w+)') or ''
local known = redis.call('HMGET', KEYS[1], 'seq', 'run')
local seq = tonumber(known[1] or '0') + 1
local first = known[2] ~= run
if first then
    local now = redis.call('TIME')
    seq = math.max(seq, now[1] * 1000000 + now[2])
    redis.call('DEL', KEYS[2])
end
local id = string.format('%.0f', seq)
redis.call('HSET', KEYS[1], 'seq', id, 'run', run, 'ttl', ARGV[3])
if first then
    redis.call('XADD', KEYS[2], id .. '-0', 'm', ARGV[1], 'f', '1')
else
    redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[2], id .. '-0', 'm', ARGV[1])
end
for _, key in ipairs(KEYS) do
    if ARGV[3] == '0' then redis.call('PERSIST', key) else redis.call('PEXPIRE', key, ARGV[3]) end
end
return seq
"""

# The newest number, and the number and mark of the oldest message; renews the topic's lifetime. KEYS: topic, stream.
PLACES = """
local known = redis.call('HMGET', KEYS[1], 'seq', 'ttl')
if not known[1] then return {0, 0, 0} end
if known[2] ~= '0' then
    for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, known[2]) end
end
local oldest = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1]
if not oldest then return {tonumber(known[1]), 0, 0} end
return {tonumber(known[1]), tonumber(string.match(oldest[1], '%d+')), #oldest[2] == 4 and 1 or 0}
"""

# Keeps several values. KEYS: theirs. ARGV: ttl in ms or 0, values.
SET_MANY = """
for index, key in ipairs(KEYS) do
    if ARGV[1] == '0' then
        redis.call('SET', key, ARGV[index + 1])
    else
        redis.call('SET', key, ARGV[index + 1], 'PX', ARGV[1])
    end
end
"""

# A token is the time, or more, so that it grows though Redis has lost the last one.
# KEYS: lease, token. ARGV: owner, ms.
ACQUIRE = """
local held = redis.call('HMGET', KEYS[1], 'owner', 'token')
if held[1] and held[1] ~= ARGV[1] then return false end
local token = tonumber(held[2] or '0')
if not held[1] then
    local now = redis.call('TIME')
    token = math.max(tonumber(redis.call('GET', KEYS[2]) or '0') + 1, now[1] * 1000000 + now[2])
    local text = string.format('%.0f', token)
    redis.call('SET', KEYS[2], text)
    redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'token', text)
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return token
"""

# KEYS: lease. ARGV: owner, ms.
RENEW = """
if redis.call('HGET', KEYS[1], 'owner') ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""

# KEYS: lease. ARGV: owner.
RELEASE = """
if redis.call('HGET', KEYS[1], 'owner') == ARGV[1] then redis.call('DEL', KEYS[1]) end
"""
