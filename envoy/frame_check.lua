-- Every call of the contract sends one message, so a gRPC body is one frame: a flag, four bytes of length, and as many
-- bytes. A server would wait for the rest of a broken one for ever.
local HEAD = 5

function envoy_on_request(handle)
  local kind = handle:headers():get("content-type") or ""
  if kind:sub(1, 16) ~= "application/grpc" then
    return
  end
  local body = handle:body()
  local size = body and body:length() or 0
  if size >= HEAD then
    local flag, a, b, c, d = body:getBytes(0, HEAD):byte(1, HEAD)
    if flag <= 1 and ((a * 256 + b) * 256 + c) * 256 + d == size - HEAD then
      return
    end
  end
  handle:respond({[":status"] = "400"}, "the body is not one gRPC frame")
end
