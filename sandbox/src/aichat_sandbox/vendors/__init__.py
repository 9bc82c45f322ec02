"""Stand-ins for the model vendors: one HTTP server that speaks the streaming protocols of all three.

Base URLs: Anthropic `/anthropic`, OpenAI `/openai/v1`, Gemini `/gemini`. `GET /_log` lists the requests served so far,
`DELETE /_log` clears them. `GET /_bills` counts complete replies by what is billed for them; clearing the log clears
it, too. A user text that begins with `#script ` and one JSON object says how to reply: see `script.Script`.
"""
