"""What a source shows: feeds, sitemaps, section pages, channels, archives; as leads. Pure."""
