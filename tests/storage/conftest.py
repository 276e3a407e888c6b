"""A small store of invented articles, written for the tests, for everything that searches and reads."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from builders import make_document, make_source_state
from storage.model import Document, Mention
from storage.store import Store

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)


def place(code: str, name: str) -> Mention:
    return Mention(
        kind="place", code=code, name=name, count=2, sentence=f"It happened in {name}."
    )


# Written for the tests: no such report was ever published.
ARTICLES = (
    ("https://alpha.example/1", "alpha", "en", 20, "Roadside bomb in Panjwayi", "A roadside bomb went off near the bazaar of Panjwayi on Friday, elders of the district said, and several of the shops along that road stayed closed until the evening.", (place("AF2704", "Panjwayi"), Mention(kind="event", code="bombing", name="bombing", count=1))),
    ("https://beta.example/2", "beta", "fa", 21, "انفجار در پنجوایی", "یک بمب کنار جاده‌ای در ولسوالی پنجوایی ولایت کندهار منفجر شد و سه غیرنظامی زخمی شدند.", (place("AF2704", "Panjwayi"),)),
    ("https://gamma.example/3", "gamma", "en", 21, "Taliban close the market", "Traders in Kunduz said fighters of the Taleban had closed the main market until Monday without giving a reason.", (place("AF17", "Kunduz"), Mention(kind="actor", code="taliban", name="Taliban", count=1))),
    ("https://alpha.example/4", "alpha", "en", 19, "Wheat prices rise", "The price of wheat rose again across the northern provinces, and bakers in Mazar-e-Sharif blamed transport.", (place("GN1", "Mazar-e Sharif"),)),
    ("https://delta.example/5", "delta", "ps", 18, "په کندز کې نښته", "په کندز ولایت کې د طالبانو او وسله والو ترمنځ نښته وشوه او دوه تنه ټپیان شول.", (place("AF17", "Kunduz"),)),
)  # fmt: skip
SPELLINGS = (
    *(
        ("name", "AF2704", form)
        for form in ("Panjwayi", "Panjwai", "Panjwa'i", "پنجوایی", "پنجوايي")
    ),
    *(("place", "AF2704", form) for form in ("Panjwayi", "Panjwai", "پنجوایی")),
    *(
        ("name", "AF17", form)
        for form in ("Kunduz", "Konduz", "Kunduz Province", "کندز", "قندوز")
    ),
    *(
        ("place", code, form)
        for code in ("AF17", "AF1701")
        for form in ("Kunduz", "کندز")
    ),
    *(
        ("name", "GN1", form)
        for form in ("Mazar-e Sharif", "Mazar-i-Sharif", "Mazari Sharif", "مزار شریف")
    ),
    *(
        ("name", "taliban", form)
        for form in ("Taliban", "Taleban", "طالبان", "طالبانو")
    ),
    ("actor", "taliban", "Taliban"),
    ("actor", "taliban", "Mullah Omar"),
)
PLACES = tuple(
    {
        "code": code,
        "kind": kind,
        "name": name,
        "province_code": province,
        "lat": lat,
        "lon": lon,
    }
    for code, kind, name, province, lat, lon in (
        ("AF27", "province", "Kandahar", "AF27", 31.6, 65.7),
        ("AF2704", "district", "Panjwayi", "AF27", 31.07, 65.16),
        ("AF17", "province", "Kunduz", "AF17", 36.7, 68.9),
        ("GN1", "city", "Mazar-e Sharif", "AF21", 36.7, 67.1),
    )
)


def document(
    url: str,
    source: str,
    language: str,
    day: int,
    title: str,
    text: str,
    mentions: tuple[Mention, ...] = (),
) -> Document:
    return make_document(url, text, source=source, title=title, language=language, mentions=mentions, authors=("A. Reporter",), published_at=datetime(2026, 11, day, 6, tzinfo=UTC), published_how="feed")  # fmt: skip


@pytest.fixture
def stocked(tmp_path: Path) -> Iterator[Store]:
    """Five articles of four sources in three languages."""
    with Store.open(tmp_path / "khabar.db") as opened:
        names = ("alpha", "beta", "gamma", "delta")
        opened.sources.sync(make_source_state(name) for name in names)
        opened.gazetteer.sync_places(PLACES)
        opened.gazetteer.sync_spellings(SPELLINGS)
        for row in ARTICLES:
            opened.landings.admit(document(*row), now=NOW)
        yield opened
