-- The edge reads a large body only for a caller whom the server knows. It asks the server by the same call with an
-- empty message: the server refuses the message, but says first whether it knows the caller. Such a call does not
-- count. The edge asks about a known caller at most once a minute. That only lets the caller send: the server checks
-- the credentials of each call itself. Calls of unknown callers take a route that reads small bodies.
local SMALL, SECONDS, MOST_KNOWN = 65536, 60, 10000
local EMPTY_FRAME = string.rep("\0", 5)
local UNAVAILABLE = "14"
local ASKED_WITH = {"authorization", "x-api-key", "cookie", "origin", "x-request-id"}
local known, count = {}, 0

local function is_known(who)
  return (known[who] or 0) > os.time()
end

local function remember(who)
  if count >= MOST_KNOWN then
    known, count = {}, 0
  end
  known[who], count = os.time() + SECONDS, count + 1
end

-- "yes", "no", or "unsure" if no server can say now.
local function known_to_server(handle, headers)
  local asked = {
    [":method"] = "POST",
    [":path"] = handle:filterContext():get("path"),
    [":authority"] = "edge",
    ["content-type"] = "application/grpc",
    ["te"] = "trailers",
    ["x-aichat-is-known"] = "?",
  }
  for _, name in ipairs(ASKED_WITH) do
    asked[name] = headers:get(name)
  end
  local answer = handle:httpCall("servers", asked, EMPTY_FRAME, 10000)
  -- Envoy's answer for an unreachable server has gRPC's form, too.
  local failed = answer[":status"] ~= "200" or answer["grpc-status"] == UNAVAILABLE
  return answer["x-aichat-known"] or failed and "unsure" or "no"
end

function envoy_on_request(handle)
  local headers = handle:headers()
  local length = tonumber(headers:get("content-length") or "")
  local who = headers:get("x-api-key") or headers:get("authorization") or headers:get("cookie") or ""
  if length and length <= SMALL or is_known(who) then
    return
  end
  local answer = who == "" and "no" or known_to_server(handle, headers)
  if answer == "yes" then
    remember(who)
  else
    handle:headers():replace("x-aichat-unknown", answer == "no" and "yes" or answer)
    handle:clearRouteCache()
  end
end
