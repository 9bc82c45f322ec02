"""Claude, OpenAI and Gemini, each with the same typed events; retry, circuit breaker and fallback."""
