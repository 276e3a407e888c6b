"""Visits to sources: what is asked, what the answers mean, how far one goes on."""
