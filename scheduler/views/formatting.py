"""Times, ages and counts as words. Pure."""

from datetime import UTC, datetime, timedelta


def format_time(moment: datetime | None) -> str:
    """A time to the minute, UTC; a dash for none."""
    if moment is None:
        return "-"
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}"


def format_stored_time(text: str) -> str:
    """A time as it stands in the file, to the minute, UTC."""
    return text[:16].replace("T", " ")


def format_age(moment: datetime | None, now: datetime) -> str:
    """How long ago, in the largest unit that fits twice."""
    if moment is None:
        return "never"
    return f"{format_duration(max(now - moment, timedelta()))} ago"


def format_duration(length: timedelta) -> str:
    """A length of time in the largest unit that fits twice: 90 minutes are `90 min`."""
    minutes = int(length.total_seconds() // 60)
    if minutes == 0:
        return "a moment"
    for unit, size in (("d", 1_440), ("h", 60)):
        if minutes >= 2 * size:
            return f"{minutes // size} {unit}"
    return f"{minutes} min"


def format_count(count: int, one: str, many: str = "") -> str:
    """`1 article`, `2 articles`."""
    if count == 1:
        return f"{count:,} {one}"
    return f"{count:,} {many or one + 's'}"
