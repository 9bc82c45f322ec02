-- Answers for a route without a server, before the body is read. (Envoy applies no CORS to a `direct_response`, so web
-- pages could not read one.)
function envoy_on_request(handle)
  handle:respond({[":status"] = handle:filterContext():get("status")}, "")
end
