"""Messages to others that are stored with what they tell, and handed over later."""
