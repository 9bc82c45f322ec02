-- Every call of the contract sends one message, so a gRPC body is one frame: a flag, four bytes of length, and that
-- many bytes. A server would wait forever for the rest of an incomplete frame. A compressed one could expand to any
-- size.
local HEAD = 5

function envoy_on_request(handle)
  local body = handle:body()
  local size = body and body:length() or 0
  if size >= HEAD then
    local flag, a, b, c, d = body:getBytes(0, HEAD):byte(1, HEAD)
    if ((a * 256 + b) * 256 + c) * 256 + d == size - HEAD then
      if flag == 0 then
        return
      end
      if flag == 1 then
        handle:respond({[":status"] = "400"}, "the message is compressed: send it as it is")
        return
      end
    end
  end
  handle:respond({[":status"] = "400"}, "the body is not one gRPC frame")
end
