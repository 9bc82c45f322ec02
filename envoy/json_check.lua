-- Transcoding silently ignores fields that it does not know. So this filter reads a JSON body first: it refuses an
-- unknown field and names the place where it belongs, and it refuses a list that is too long before its elements become
-- messages.
local MOST_VALUES = 10000

local function is_quoted(text, quote)
  local before = quote - 1
  while text:byte(before) == 92 do
    before = before - 1
  end
  return (quote - before) % 2 == 0
end

-- Returns where the string that begins at `start` ends; nil if it does not end.
local function string_end(text, start)
  local quote = start
  repeat
    quote = text:find('"', quote + 1, true)
  until not quote or not is_quoted(text, quote)
  return quote
end

local function names(fields)
  local found = {}
  for name, field in pairs(fields) do
    if not field.alias then
      found[#found + 1] = name
    end
  end
  table.sort(found)
  return table.concat(found, ", ")
end

-- Returns where else there is a field with this name.
local function home(name, fields, path)
  for other, field in pairs(fields) do
    if field.fields and not field.alias then
      local inner = path .. other .. (field.most and "[]" or "")
      if field.fields[name] then
        return inner
      end
      local deeper = home(name, field.fields, inner .. ".")
      if deeper then
        return deeper
      end
    end
  end
end

local function unknown(name, frame, root)
  local shown = name:find("^[%w_.-]+$") and name:sub(1, 64) or "a name with other characters"
  local message = shown .. " is not a field of " .. (frame.path == "" and "the request" or frame.path)
  if root[name] then
    return message .. "; it belongs at the top of the request"
  end
  local place = home(name, root, "")
  if place then
    return message .. "; it belongs in " .. place
  end
  return message .. ", which has " .. names(frame.fields)
end

-- Returns the place of the next value.
local function place(frame)
  if frame.array then
    return frame.path .. "[" .. (frame.count - 1) .. "]"
  end
  return (frame.path == "" and "" or frame.path .. ".") .. (frame.key or "")
end

-- Returns what is wrong with the text: a status and a message. Nil if it is valid, and if it is not JSON, which
-- transcoding refuses.
local function check(text, root)
  local top = {array = false, path = "", element = {fields = root}, outer = nil}
  local stack, at, values, key_next = top, 1, 0, false
  while true do
    at = text:find("[^ \t\r\n,:]", at)
    if not at then
      return
    end
    local char = text:sub(at, at)
    if char == "}" or char == "]" then
      stack = stack.outer
      if not stack then
        return
      end
      at = at + 1
    else
      values = values + 1
      if values > MOST_VALUES then
        return "422", "the body holds more than " .. MOST_VALUES .. " names and values"
      end
      key_next = stack.object and not stack.key
      if key_next then
        local stop = char == '"' and string_end(text, at)
        if not stop then
          return
        end
        local name = text:sub(at + 1, stop - 1)
        stack.key, at = name, stop + 1
        if stack.fields then
          stack.element = stack.fields[name]
          if not stack.element then
            return "400", unknown(name, stack, root)
          end
        end
      else
        if stack.array then
          stack.count = stack.count + 1
          if stack.most and stack.count > stack.most then
            return "422", stack.path .. " must contain no more than " .. stack.most .. " item(s)"
          end
        end
        local element = stack.element or {}
        local where = place(stack)
        stack.key = nil
        if char == "{" then
          stack = {object = true, path = where, fields = element.fields, outer = stack}
          at = at + 1
        elseif char == "[" then
          stack = {array = true, path = where, count = 0, most = element.most, element = element, outer = stack}
          at = at + 1
        elseif char == '"' then
          local stop = string_end(text, at)
          if not stop then
            return
          end
          at = stop + 1
        else
          at = text:find("[,%]}%s]", at)
          if not at then
            return
          end
        end
      end
    end
  end
end

function envoy_on_request(handle)
  local body = handle:body()
  if not body or body:length() == 0 then
    return
  end
  local status, words = check(body:getBytes(0, body:length()), handle:filterContext():get("fields"))
  if status then
    handle:respond({[":status"] = status}, words)
  end
end
