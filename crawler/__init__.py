"""The web: requests, feeds, HTML, what a page says and what it is about."""
