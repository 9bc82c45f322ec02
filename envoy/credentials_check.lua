-- A large body is read for those alone whom the server knows; the others' calls take a route that reads small ones. It is
-- asked by the same call with an empty message, which it refuses, and says before that if it knows the caller; such a call
-- is not counted. Whom it knew is not asked about again for a minute: that lets them send, and no more, since the server
-- looks at each call's credentials itself.
local SMALL, SECONDS, MOST_KNOWN = 65536, 60, 10000
local EMPTY_FRAME = string.rep("\0", 5)
local UNAVAILABLE = "14"
local ASKED_WITH = {"authorization", "cookie", "origin", "x-request-id"}
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

-- "yes", "no", or "unsure" where no server can tell now.
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
  -- What Envoy answers for one that is gone is gRPC's, too.
  local failed = answer[":status"] ~= "200" or answer["grpc-status"] == UNAVAILABLE
  return answer["x-aichat-known"] or failed and "unsure" or "no"
end

function envoy_on_request(handle)
  local headers = handle:headers()
  local length = tonumber(headers:get("content-length") or "")
  local who = headers:get("authorization") or headers:get("cookie") or ""
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
