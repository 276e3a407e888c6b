"""What a source shows.

Feeds, sitemaps, section pages, channels and archives, as bytes, to leads.
"""
