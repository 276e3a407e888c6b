"""The crawl: sources are visited, and the pages that they point to are fetched."""
