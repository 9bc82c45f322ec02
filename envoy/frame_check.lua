-- A gRPC body consists of frames: a flag, four bytes of length, and that many bytes. Calls of most RPCs send one. A
-- server would wait forever for the rest of an incomplete frame. A compressed one could expand to any size.
local HEAD, MOST = 5, 16384

-- Returns what is wrong with a frame, and where the next one begins.
local function check(body, at, size)
  if size - at < HEAD then
    return "the body is not one gRPC frame", size
  end
  local flag, a, b, c, d = body:getBytes(at, HEAD):byte(1, HEAD)
  local stop = at + HEAD + ((a * 256 + b) * 256 + c) * 256 + d
  if stop > size then
    return "the body is not one gRPC frame", size
  end
  if flag == 1 then
    return "the message is compressed: send it as it is", size
  end
  return flag ~= 0 and "the body is not one gRPC frame" or nil, stop
end

function envoy_on_request(handle)
  local body = handle:body()
  local size = body and body:length() or 0
  local pieces = handle:filterContext():get("pieces")
  local most, count, at = pieces and MOST or 1, 0, 0
  local wrong = size == 0 and not pieces and "the body is not one gRPC frame" or nil
  while not wrong and at < size do
    count = count + 1
    if count > most then
      wrong = pieces and "the body has more than " .. MOST .. " gRPC frames" or "the body is not one gRPC frame"
    else
      wrong, at = check(body, at, size)
    end
  end
  if wrong then
    handle:respond({[":status"] = "400"}, wrong)
  end
end
