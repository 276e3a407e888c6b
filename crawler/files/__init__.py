"""Articles and captures that come as files, or rest in the archive: read, extracted, imported, read anew."""
