"""What a terminal shows.

Tables, articles, work in progress, safe whatever strangers wrote.
"""
