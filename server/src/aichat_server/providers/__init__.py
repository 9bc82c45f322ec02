"""Claude, OpenAI and Gemini, each behind the same typed events; retry, circuit breaker and fallback."""
