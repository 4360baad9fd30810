-- What wrk does for bench: it asks for the objects of a series in turn, and
-- takes a response for right if its status is 200 and its body one of theirs.
-- wrk does not say which request a response belongs to.

local threads = {}

function setup(thread)
	table.insert(threads, thread)
	thread:set("first", #threads - 1)
end

local function read(path)
	local file = assert(io.open(path, "rb"))
	local all = file:read("*a")
	file:close()
	return all
end

local requests, bodies = {}, {}

function init(args)
	local dir, count = args[1], tonumber(args[2])
	for i = 0, count - 1 do
		requests[i] = read(dir .. "/request." .. i)
		bodies[read(dir .. "/body." .. i)] = true
	end
	at, objects, wrong = first, count, 0
end

function request()
	at = (at + 1) % objects
	return requests[at]
end

function response(status, headers, body)
	if status ~= 200 or not bodies[body] then
		wrong = wrong + 1
	end
end

function done(summary, latency, requests)
	local wrong = 0
	for _, thread in ipairs(threads) do
		wrong = wrong + thread:get("wrong")
	end
	local e = summary.errors
	print(string.format("bench %d %d %d", summary.requests, summary.duration, wrong + e.connect + e.read + e.write + e.timeout))
end
