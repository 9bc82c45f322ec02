"""Stand-ins for the LLM vendors: one HTTP server that speaks the streaming protocols of all three.

Base URLs: Anthropic `/anthropic`, OpenAI `/openai/v1`, Gemini `/gemini`. `GET /_log` lists the requests served so
far, `DELETE /_log` forgets them; `GET /_bills` counts whole replies by what they are billed for, and is forgotten with
the log. A user text that begins with `#script ` and one JSON object says how to reply: see `script.Script`.
"""
