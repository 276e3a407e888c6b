"""One article or page and everything that is known of it; what people said of texts.

Lines for people, JSON for programs. Everything that came from the web passes through
`Screen.safe_text` or `terminal.strip_controls` on its way.
"""

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from scheduler.views.formatting import format_count, format_stored_time, format_time
from scheduler.views.terminal import Screen, strip_controls
from storage.model import Article, Document, Landing

MAX_LINE_CELLS = 92  # of a line of text on a terminal; longer ones read badly
MAX_REASONS = 12
MAX_CUTS = 40
MAX_MENTIONS = 20

Fields = list[tuple[str, object]]


def show_article(
    screen: Screen,
    article: Article,
    record: Mapping[str, Any],
    annotations: Iterable[Mapping[str, Any]],
    *,
    json: bool,
) -> None:
    """One article, whole, with what people said of it."""
    if json:
        screen.json_line(record)
        return
    title = screen.safe_text(article.title or "(no title)")
    screen.line(screen.style(title, "bold"))
    screen.line()
    screen.fields(_article_fields(article))
    screen.fields([("tags", ", ".join(record["tags"]))])
    for annotation in annotations:
        if not annotation["tag"]:
            screen.fields([("marked", _describe_annotation(annotation, article))])
    screen.line()
    show_paragraphs(screen, article.text)


def _article_fields(article: Article) -> Fields:
    published, revised, note = "unknown", "", ""
    if article.published_at:
        time = format_time(article.published_at)
        published = f"{time} UTC ({article.published_how})"
    if article.revision > 1:
        times = format_count(article.revision - 1, "time")
        revised = f"{times}, last {format_time(article.updated_at)} UTC"
    if article.extra.get("from_feed"):
        note = "the text is the feed's: the page was not to be had"
    return [
        ("by", ", ".join(article.authors)),
        ("source", article.source),
        ("published", published),
        ("first seen", f"{format_time(article.first_seen_at)} UTC"),
        ("revised", revised),
        ("language", article.language),
        ("relevance", f"{article.relevance:.2f}"),
        ("copies", article.copies or ""),
        ("credit", article.extra.get("credit")),
        ("note", note),
        ("withdrawn", article.extra.get("withdrawn_at")),
        ("url", article.url),
    ]


def _describe_annotation(annotation: Mapping[str, Any], article: Article) -> str:
    """What a person said and when; a text that is not the one shown by its address."""
    text = annotation["label"].replace("_", " ")
    if annotation["url"] != article.url:
        text = f"{annotation['url']}: {text}"
    if annotation["of_url"]:
        text = f"{text} of {annotation['of_url']}"
    if annotation["of_article_id"] not in (None, article.id):
        text = f"{text} (article {annotation['of_article_id']})"
    return f"{format_stored_time(annotation['at'])}  {text}"


def show_paragraphs(screen: Screen, text: str) -> None:
    """A text, with a blank line between its paragraphs.

    On a terminal its lines are no wider than reads well; in a pipe none is broken.
    """
    width = min(screen.width, MAX_LINE_CELLS)
    for paragraph in text.split("\n"):
        # A program that reads a pipe finds each paragraph as it was stored.
        lines = [paragraph]
        if screen.colour:
            lines = textwrap.wrap(strip_controls(paragraph), width)
        for line in lines:
            screen.line(screen.safe_text(line))
        screen.line()


def show_explanation(screen: Screen, known: Mapping[str, Any], *, json: bool) -> None:
    """The fate of a page and every reason for it."""
    if json:
        screen.json_line(known)
        return
    document = known["document"]
    # A rejected page has the same kinds of reasons, under other names.
    read = document or known["rejection"] or {}
    screen.line(screen.style(screen.safe_text(known["url"]), "bold"))
    screen.fields(_fate_fields(known))
    screen.fields([("title", read.get("title"))])
    if document:
        screen.fields(_document_fields(document, known))
    if read.get("reasons"):
        relevance = read.get("relevance", read.get("score")) or 0
        _show_reasons(screen, relevance, read["reasons"])
    if read.get("cuts"):
        passages = format_count(len(read["cuts"]), "passage")
        screen.line(f"{passages} cut as no part of the article")
        _show_cuts(screen, read["cuts"])


def _fate_fields(known: Mapping[str, Any]) -> Fields:
    fate, lead = known["fate"], known["lead"]
    fields: Fields = []
    if fate:
        name = fate["fate"]
        reasons = [fate["reason"], fate["detail"]]
        why = ": ".join(part for part in reasons if part and part != name)
        if why:
            name = f"{name} ({why})"
        fields += [("fate", name), ("since", fate["at"])]
    if lead:
        tried = format_count(lead["attempts"], "time")
        fields += [
            ("fate", f"pending since {lead['found_at']}, tried {tried}"),
            ("last error", lead["last_error"]),
            ("next try", lead["next_attempt_at"]),
        ]
    return fields


def _document_fields(document: Mapping[str, Any], known: Mapping[str, Any]) -> Fields:
    fields: Fields = []
    if document["kind"]:
        url = (known["article"] or {}).get("url", "")
        article = f"{document['kind']} copy of article {document['article_id']}, {url}"
        fields.append(("copy", f"{article} (score {document['score'] or 0:.2f})"))
    else:
        fields.append(("article", f"{document['article_id']}"))

    # Asked for a copy, the list of its article's copies names it too.
    others = [row for row in known["copies"] if row["id"] != document["id"]]
    fields.append(
        ("copies", "; ".join(f"{row['url']} ({row['kind']})" for row in others))
    )
    probable = [
        f"article {row['article_id']} ({row['score']:.2f})"
        for row in known["probable_copies"]
    ]
    fields.append(("perhaps", "; ".join(probable)))
    if known["revisions"]:
        fields.append(("revised", format_count(len(known["revisions"]), "time")))

    published = "unknown"
    if document["published_at"]:
        published = f"{document['published_at']} ({document['published_how']})"
    labels = [
        f"{row['label'].replace('_', ' ')} {row['value']}".strip()
        for row in known["marks"]
    ]
    mentions = [
        f"{row['name']} ({row['kind']})" for row in known["mentions"][:MAX_MENTIONS]
    ]
    return [
        *fields,
        ("published", published),
        ("extracted", document["extracted_how"]),
        ("marked", ", ".join(labels)),
        ("mentions", ", ".join(mentions)),
    ]


def _show_reasons(
    screen: Screen, relevance: float, reasons: Sequence[Mapping[str, Any]]
) -> None:
    """The terms that made a relevance, strongest first."""
    screen.line(f"relevance {relevance:.2f}, because of")
    strongest = sorted(reasons, key=lambda reason: -abs(float(reason["weight"])))
    for reason in strongest[:MAX_REASONS]:
        # Both words have the same width, so that the weights stand below each other.
        side = screen.style("against", "red")
        if reason["weight"] >= 0:
            side = screen.style("for    ", "green")
        where = f"in the {reason['where']}"
        if reason.get("kind"):
            where = f"{reason['kind']}, {where}"
        term = screen.safe_text(reason["term"])
        where = strip_controls(where)
        screen.line(f"  {side} {reason['weight']:+.2f}  {term}  ({where})")


def _show_cuts(screen: Screen, cuts: Sequence[Mapping[str, Any]]) -> None:
    """What cleaning took out, and the rule that did."""
    for cut in cuts[:MAX_CUTS]:
        text = screen.safe_text(cut["text"], width=screen.width - 30)
        rule = strip_controls(cut["rule"])
        screen.line(f"  {screen.style('cut', 'yellow')} {text}  [{rule}]")
    if len(cuts) > MAX_CUTS:
        screen.line(f"  ... and {len(cuts) - MAX_CUTS} more")


def show_saved_page(screen: Screen, landing: Landing, *, json: bool) -> None:
    """What a page on the disk would come to, if it were crawled."""
    outcome = landing.outcome
    kind = type(outcome).__name__.lower()
    if json:
        screen.json_line({"url": landing.url, "outcome": kind, **asdict(outcome)})
        return
    title = getattr(outcome, "title", None) or landing.url or "a page without a title"
    screen.line(screen.style(screen.safe_text(title), "bold"))
    if isinstance(outcome, Document):
        fields: Fields = [
            ("would be", "kept"),
            ("url", outcome.url),
            ("published", outcome.published_at),
            ("how", outcome.extracted_how),
        ]
    else:
        why = f"{getattr(outcome, 'why', '')} {getattr(outcome, 'detail', '')}".strip()
        fields = [("would be", f"{kind} ({why})")]
    screen.fields(fields)
    verdict = getattr(outcome, "verdict", None)
    if verdict and verdict.reasons:
        reasons = [asdict(reason) for reason in verdict.reasons]
        _show_reasons(screen, verdict.score, reasons)
    cuts = [asdict(cut) for cut in getattr(outcome, "cuts", ())]
    if cuts:
        screen.line("cut as no part of the article")
        _show_cuts(screen, cuts)


def show_annotations(
    screen: Screen, annotations: Iterable[Mapping[str, Any]], *, json: bool
) -> None:
    """What people said of texts, one line each."""
    # The rows come one by one from the file, so they are not counted first.
    any_shown = False
    for row in annotations:
        any_shown = True
        if json:
            screen.json_line(row)
            continue
        what = row["label"].replace("_", " ")
        if row["value"] or row["of_url"]:
            what = f"{what}: {row['value'] or row['of_url']}"
        at = format_stored_time(row["at"])
        head = screen.style(f"{at}  {row['document_id'] or '-':>6}", "dim")
        label = screen.style(screen.safe_text(what), "cyan")
        screen.line(f"{head}  {label}  {screen.safe_text(row['title'] or row['url'])}")
    if not any_shown and not json:
        screen.note("nobody has marked anything yet")


_OUTCOME_TEXTS = {
    "kept": "counts as relevant",
    "restored": "is an article again",
    "queued": "is asked for with the next crawl, and kept whatever it is about",
    "dropped": "is gone with its copies; --relevant brings it back",
    "parted": "is an article apart",
    "joined": "is a copy now",
    "noted": "stays as it is, for good",
    "tagged": "has that tag",
    "untagged": "has that tag no more",
}


def show_correction(screen: Screen, result: Mapping[str, Any], *, json: bool) -> None:
    """What became of a correction."""
    if json:
        screen.json_line(result)
        return
    subject = screen.safe_text(result["url"])
    # The number of an article that is gone leads nowhere.
    if result["article_id"] and result["outcome"] != "dropped":
        subject = f"{subject} (article {result['article_id']})"
    screen.line(f"{subject} {_OUTCOME_TEXTS[result['outcome']]}")


def show_forgettable(
    screen: Screen, documents: Iterable[Mapping[str, Any]], *, json: bool
) -> None:
    """What `khabar forget` would erase: one line each, then how many."""
    count = 0
    for document in documents:
        count += 1
        if json:
            screen.json_line(dict(document))
            continue
        title = screen.safe_text(document["title"] or "")
        screen.line(f"{document['id']} {screen.safe_text(document['url'])} {title}")
    if not json:
        screen.line(f"{format_count(count, 'document')} would be erased")
