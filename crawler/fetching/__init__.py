"""What may be fetched, how politely, and how: the network side of a crawl."""
