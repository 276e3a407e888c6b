"""What changed between two states of a text.

All sentences were written for the tests.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage import revisions

BODY = "A bomb went off near the bazaar of Gereshk on Tuesday.\nNine people were killed, a doctor said."
TEXTS = st.lists(
    st.sampled_from(["a", "b", "c", "9", "11", "killed\n", "said.", "۱۱", "کابل"]),
    max_size=40,
).map(" ".join)


def changed(old, new):
    return [
        (edit.old, edit.new)
        for edit in revisions.diff_texts(old, new)
        if edit.is_change
    ]


def test_a_risen_toll_is_one_changed_word():
    """The diff names the words that changed and nothing around them."""
    assert changed(BODY, BODY.replace("Nine", "Eleven")) == [("Nine", "Eleven")]


def test_added_and_removed_lines_are_insertions_and_deletions():
    """A correction that was added is new, and what was taken out is old."""
    note = "Correction: the bazaar is that of Gereshk."
    assert changed(BODY, f"{BODY}\n{note}") == [("", note)]
    assert changed(f"{note}\n{BODY}", BODY) == [(note, "")]


@settings(deadline=None)
@given(TEXTS, TEXTS)
def test_a_diff_holds_both_texts_whole(old, new):
    """All old sides together are the old text, all new sides the new one, and the same text has no change."""
    edits = revisions.diff_texts(old, new)
    assert " ".join(edit.old for edit in edits).split() == old.split()
    assert " ".join(edit.new for edit in edits).split() == new.split()
    assert changed(old, old) == []


def test_two_long_unlike_passages_are_shown_whole():
    """A page that was replaced by another does not take quadratic time."""
    old, new = (
        " ".join(f"a{n}" for n in range(20_000)),
        " ".join(f"b{n}" for n in range(20_000)),
    )
    assert changed(old, new) == [(old, new)]


@pytest.mark.parametrize(
    "line",
    [
        "Last updated: 22 November 2026, 14:05 GMT", "Published on 21 November 2026", "35 minutes ago", "1,204 views", "Comments (17)",
        "4 min read", "Read more: our other reports", "Share this on Facebook", "۱۲۰ بازدید", "Related stories",
    ],
)  # fmt: skip
def test_what_turns_over_by_itself_makes_no_revision(line):
    """Hours of update, counters and pointers come and go without a word of the report changing."""
    assert revisions.is_trivial(BODY, f"{line}\n{BODY}")
    assert revisions.is_trivial(f"{BODY}\n{line}", BODY.upper())


@pytest.mark.parametrize(
    "new",
    [
        BODY.replace("Nine", "Eleven"), BODY.replace("Tuesday", "Monday"), f"{BODY}\nCorrection: the market is in Lashkargah.",
        f"{BODY}\nFollow-up: the toll was updated by a spokesman who shared a list of all the names with our reporter today.",
    ],
)  # fmt: skip
def test_a_changed_sentence_is_a_revision(new):
    """A number, a day or a correction inside the text is what an analyst looks for."""
    assert not revisions.is_trivial(BODY, new)


@given(TEXTS, TEXTS)
def test_trivial_is_symmetric(old, new):
    """Whether a change counts does not depend on its direction."""
    assert revisions.is_trivial(old, new) == revisions.is_trivial(new, old)
