-- Puts one node's section into the blob of an address-of-record, and tells of it in the partition's stream.
--
-- KEYS: the blob, the stream. ARGV: node (4 bytes), version (8), expires (4), record (empty: there is nothing left),
-- the time now in Unix seconds, seconds that a key outlives its bindings, entries that the stream keeps, name.
-- Gives 1: written, 0: a later version of the section is there, -1: the blob is of a newer format and was left alone,
-- 2: what was there could not be read and was replaced.
local node, version, expires, record = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local now, grace = tonumber(ARGV[5]), tonumber(ARGV[6])

local function number(text, at, length)
    local value = 0
    for i = at, at + length - 1 do value = value * 256 + (string.byte(text, i) or 0) end
    return value
end

-- The other nodes' sections that live; nil when the blob can't be read, and whether a later one of ours is there.
local function others(blob)
    local count, at, kept, latest, is_late = string.byte(blob, 2), 3, {}, 0, false
    if not count or count == 0 then return nil end
    for _ = 1, count do
        local ends = at + 18 + number(blob, at + 16, 2)
        if at + 17 > #blob or ends - 1 > #blob then return nil end
        local until_ = number(blob, at + 12, 4)
        if string.sub(blob, at, at + 3) == node then
            is_late = number(blob, at + 4, 8) > number(version, 1, 8)
        elseif until_ > now then
            kept[#kept + 1] = string.sub(blob, at, ends - 1)
            latest = math.max(latest, until_)
        end
        at = ends
    end
    if at ~= #blob + 1 then return nil end
    return kept, latest, is_late
end

local kept, latest, outcome = {}, 0, 1
local blob = redis.pcall('GET', KEYS[1])
if type(blob) == 'string' then
    local format = string.byte(blob, 1)
    if format and format > 1 and format < 32 then return -1 end
    local found, until_, late
    if format == 1 then found, until_, late = others(blob) end
    if late then return 0 end
    if found then kept, latest = found, until_ else outcome = 2 end
elseif type(blob) == 'table' then
    outcome = 2
end

if record ~= '' then
    kept[#kept + 1] = node .. version .. expires .. string.char(math.floor(#record / 256), #record % 256) .. record
    latest = math.max(latest, number(expires, 1, 4))
end
if #kept == 0 then
    redis.call('DEL', KEYS[1])
else
    redis.call('SET', KEYS[1], string.char(1, #kept) .. table.concat(kept), 'EX', math.max(latest - now, 0) + grace)
end
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[7], '*', 'k', ARGV[8], 'n', node)
return outcome
