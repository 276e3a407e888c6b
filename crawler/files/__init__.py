"""Articles and captures that come as files, or rest in the archive.

Read, extracted, imported, read anew.
"""
