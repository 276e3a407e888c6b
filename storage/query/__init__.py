"""What was asked, found, counted and taken away."""
