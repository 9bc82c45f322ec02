-- Gives the calls of another company's API the status that the server chose. In gRPC their failures are no failures,
-- since Envoy would write their bodies itself: the server sends the body as it must be, and the status in a header.
local OURS = {"grpc-timeout", "grpc-encoding", "grpc-accept-encoding"}

function envoy_on_request(handle)
  local headers = handle:headers()
  for _, name in ipairs(OURS) do
    headers:remove(name)
  end
  local binary = {}
  for name in pairs(headers) do
    if name:find("%-bin$") then
      binary[#binary + 1] = name
    end
  end
  for _, name in ipairs(binary) do
    headers:remove(name)
  end
end

function envoy_on_response(handle)
  local headers = handle:headers()
  local status = headers:get("x-aichat-status")
  if status then
    headers:remove("x-aichat-status")
    headers:replace(":status", status)
  end
  headers:remove("grpc-status")
  headers:remove("grpc-message")
end
