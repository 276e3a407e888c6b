"""What a text is about: relevance, places, actors, events and claims, from one scan."""
