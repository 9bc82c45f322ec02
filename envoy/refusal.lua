-- Answers for a route that leads nowhere, before anything of the body is read. (A `direct_response` is no route for CORS,
-- so that web pages could not read it.)
function envoy_on_request(handle)
  handle:respond({[":status"] = handle:filterContext():get("status")}, "")
end
