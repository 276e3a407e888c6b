"""Time, processes and people: when, signals, flags, commands, pages, numbers to show."""
