"""Time, processes and people.

When, signals, flags, commands, pages, numbers to show.
"""
