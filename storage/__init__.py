"""What a thing is, whether two are the same, how it is stored and found again."""
