"""The reading pages: what they show (`routes`), draw (`drawing`), compare (`diffs`) and write (`rendering`)."""
