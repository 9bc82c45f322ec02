-- The headers of all callers share a few connections to the servers, and one that a server cannot parse breaks later
-- calls of other callers. So the edge removes every header that gRPC parses, except a valid deadline, and all in
-- base64.
local DEADLINE = "grpc-timeout"
-- The server sets this on a stream of events that has no more events.
local NOTHING_MORE = "x-aichat-nothing-more"

local function is_sound(name, value)
  return name:find("^:?[a-z0-9.-]+$")
    and name:sub(1, 5) ~= "grpc-"
    and name:sub(-4) ~= "-bin"
    and not value:find("[^\t\32-\126]")
end

function envoy_on_request(handle)
  local headers = handle:headers()
  local deadline = headers:get(DEADLINE)
  local unsound = {}
  for name, value in pairs(headers) do
    if not is_sound(name, value) then
      unsound[#unsound + 1] = name
    end
  end
  for _, name in ipairs(unsound) do
    headers:remove(name)
  end
  if headers:get(":method") == "HEAD" then
    handle:streamInfo():dynamicMetadata():set("aichat", "head", true)
    headers:replace(":method", "GET")
  end
  if deadline and (headers:get("content-type") or ""):sub(1, 16) == "application/grpc" then
    if not (#deadline <= 9 and deadline:find("^%d+[HMSmun]$")) then
      local refusal = "grpc-timeout is not a duration: send at most 8 digits and a unit, as in 30S"
      handle:respond({[":status"] = "400"}, refusal)
      return
    end
    headers:replace(DEADLINE, deadline)
  end
end

function envoy_on_response(handle)
  local headers = handle:headers()
  if headers:get(NOTHING_MORE) then
    headers:replace(":status", "204")
    headers:remove("content-type")
    headers:remove(NOTHING_MORE)
  end
  local noted = handle:streamInfo():dynamicMetadata():get("aichat")
  if noted and noted["head"] then
    local body = handle:body(true)
    body:setBytes("")
  end
end
