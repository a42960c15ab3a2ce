-- Puts one node's sections into the blobs of some addresses-of-record of one partition, and tells of them in its stream.
--
-- KEYS: the stream, the blobs. ARGV: node (4 bytes), the time now in Unix seconds, seconds that a key outlives its bindings,
-- entries that the stream keeps; and for each blob version (8 bytes), expires (4) and record (empty: there is nothing left).
-- Gives a letter for each blob: W: written, L: a later version of the section is there, N: the blob is of a newer format and
-- was left alone, G: what was there could not be read and was replaced, B: the record is too long and was not written.
local node, now, grace = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])

local function number(text, at, length)
    local value = 0
    for i = at, at + length - 1 do value = value * 256 + (string.byte(text, i) or 0) end
    return value
end

-- The other nodes' sections that live; nil when the blob can't be read, and whether a later one of ours is there.
local function others(blob, version)
    local count, at, kept, latest, is_late = string.byte(blob, 2), 3, {}, 0, false
    if not count or count == 0 then return nil end
    for _ = 1, count do
        local ends = at + 18 + number(blob, at + 16, 2)
        if at + 17 > #blob or ends - 1 > #blob then return nil end
        local until_ = number(blob, at + 12, 4)
        if string.sub(blob, at, at + 3) == node then
            local there = number(blob, at + 4, 8)
            if there > 2 ^ 53 then return nil end
            is_late = there > number(version, 1, 8)
        elseif until_ > now then
            kept[#kept + 1] = string.sub(blob, at, ends - 1)
            latest = math.max(latest, until_)
        end
        at = ends
    end
    if at ~= #blob + 1 then return nil end
    return kept, latest, is_late
end

local function write(key, version, expires, record)
    -- A section says its length in two bytes.
    if #record > 65535 then return 'B' end
    local kept, latest, outcome = {}, 0, 'W'
    local blob = redis.pcall('GET', key)
    if type(blob) == 'string' then
        local format = string.byte(blob, 1)
        if format and format > 1 and format < 32 then return 'N' end
        local found, until_, late
        if format == 1 then found, until_, late = others(blob, version) end
        if late then return 'L' end
        if found then kept, latest = found, until_ else outcome = 'G' end
    elseif type(blob) == 'table' then
        outcome = 'G'
    end
    if record ~= '' then
        kept[#kept + 1] = node .. version .. expires .. string.char(math.floor(#record / 256), #record % 256) .. record
        latest = math.max(latest, number(expires, 1, 4))
    end
    if #kept == 0 then
        redis.call('DEL', key)
    else
        redis.call('SET', key, string.char(1, #kept) .. table.concat(kept), 'EX', math.max(latest - now, 0) + grace)
    end
    return outcome
end

local outcomes, names = {}, {}
local prefix = #KEYS[1] - #'changes'
for i = 2, #KEYS do
    local section = ARGV[i + 3]
    local outcome = write(KEYS[i], string.sub(section, 1, 8), string.sub(section, 9, 12), string.sub(section, 13))
    outcomes[i - 1] = outcome
    if outcome == 'W' or outcome == 'G' then
        names[#names + 1] = string.sub(KEYS[i], prefix + 1)
    end
end
if #names > 0 then
    -- All names in one value: whoever reads them, and that is this node too, takes them apart only when they are another's.
    redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[4], '*', 'n', node, 'k', table.concat(names, '\0'))
end
return table.concat(outcomes)
