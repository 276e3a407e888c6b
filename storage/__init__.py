"""What a thing is, whether two are the same, how it rests on disk and is found again."""
