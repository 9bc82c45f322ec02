-- Gives the calls of another company's API the status that the server chose. In gRPC their failures are no failures,
-- since Envoy would write their bodies itself: the server sends the body as it must be, and the status in a header.
-- An answer without such a body comes from gRPC itself: it gets the words of the filter's context.
local INTERNAL = "13"

function envoy_on_request(handle)
  local id = handle:headers():get("x-request-id") or ""
  handle:streamInfo():dynamicMetadata():set("aichat", "request_id", id)
end

local function fail(handle, code)
  local words = handle:filterContext():get("from_grpc")
  local said = words[code] or words[INTERNAL]
  local id = handle:streamInfo():dynamicMetadata():get("aichat")["request_id"]
  local body = said.body:gsub("%%REQ%(X%-REQUEST%-ID%)%%", function() return (id:gsub('[\\"]', "\\%0")) end)
  handle:body(true):setBytes(body)
  local headers = handle:headers()
  headers:replace(":status", said.status)
  headers:replace("content-type", "application/json")
  headers:replace("request-id", id)
  if said.retry_after then
    headers:replace("retry-after", said.retry_after)
  end
end

function envoy_on_response(handle)
  local headers = handle:headers()
  local status, code = headers:get("x-aichat-status"), headers:get("grpc-status")
  if status then
    headers:remove("x-aichat-status")
    headers:replace(":status", status)
  end
  for _, name in ipairs({"grpc-status", "grpc-message", "grpc-status-details-bin", "grpc-accept-encoding"}) do
    headers:remove(name)
  end
  -- Headers with a status are a whole answer of gRPC's, in which even OK has no piece of a body.
  if code then
    fail(handle, code)
  end
end
