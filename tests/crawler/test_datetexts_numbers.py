"""Numbers that are no dates, however long, beside words that are months."""

from datetime import UTC, datetime

import pytest

from crawler.extraction import dates


@pytest.mark.parametrize("digits", [12, 19, 20, 60])
def test_a_number_of_any_length_beside_a_month_is_no_fault(digits: int) -> None:
    """Serial numbers and checksums stand in texts.

    None of them ends the reading of a page.
    """
    now = datetime(2026, 11, 22, tzinfo=UTC)
    dates.parse_date(f"Register {'7' * digits} may 3", now=now)
    dates.parse_date(f"3 may {'7' * digits}", now=now)
