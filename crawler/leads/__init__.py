"""What a source shows: feeds, sitemaps, section pages, channels and archives, as bytes, to leads."""
