"""What a page says.

Its text without the page around it, headline, people, language, dates.
"""
