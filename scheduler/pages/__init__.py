"""The reading pages.

What they show (`routes`), draw (`drawing`), compare (`diffs`) and write (`rendering`).
"""
