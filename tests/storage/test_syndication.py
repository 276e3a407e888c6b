"""Who carried an article, and how many reports are independent.

Texts come from the grammar of test_copies.
"""

import importlib.util
from datetime import timedelta
from pathlib import Path

import pytest

from builders import make_source_state
from storage.store import Store
from storage.tables import syndication

_spec = importlib.util.spec_from_file_location(
    "reports", Path(__file__).with_name("test_copies.py")
)
reports = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(reports)


@pytest.fixture
def store(tmp_path):
    """One report of an agency in three places of two owners, a version of it, and a report of another's."""
    with Store.open(tmp_path / "khabar.db") as opened:
        owners = {
            "agency": "",
            "paper": "Group",
            "radio": "Group",
            "blog": "",
            "other": "",
        }
        opened.sources.sync(
            make_source_state(name, owner=owner) for name, owner in owners.items()
        )
        text = reports.report(1)
        for one in (
            reports.document(
                "paper", reports.shortened(text), hours=2, credit="Agency"
            ),
            reports.document("agency", text, hours=1),
            reports.document(
                "radio",
                reports.shortened(text) + "\nHeard on the radio.",
                hours=3,
                credit="Agency",
            ),
            reports.document(
                "blog",
                "\n".join(
                    [*text.splitlines()[:6], *reports.report(100, 7).splitlines()]
                ),
                hours=5,
            ),
            reports.document("other", reports.report(2), hours=6),
        ):
            opened.landings.admit(one, now=reports.NOW + timedelta(hours=7))
        yield opened


def test_the_first_one_stands_first_and_the_wire_is_named(store):
    """Carriers come in the order of their publication, each with how it belongs there."""
    found = syndication.list_syndication(store.session.db, 1)
    assert [(c.source, c.kind) for c in found.reports] == [
        ("agency", "head"), ("paper", "near"), ("radio", "near"), ("blog", "probable"),
    ]  # fmt: skip
    assert found.wire == "Agency"
    assert found.publishers == 2
    assert syndication.list_syndication(store.session.db, 999).reports == ()


def test_versions_and_owners_do_not_count_twice(store):
    """Of an article, its version and another report, two are independent."""
    ids = [row[0] for row in store.session.db.execute("SELECT id FROM articles")]
    assert len(ids) == 3
    assert syndication.count_independent(store.session.db, ids) == 2
    assert syndication.count_independent(store.session.db, []) == 0
