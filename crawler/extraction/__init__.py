"""What a page says: its text without the page around it, headline, people, language, dates."""
