"""The APIs of OpenAI and Anthropic, spoken to their clients: any model behind either of them."""
