"""Promises of charsets: a page reads as it was written, whatever declares or broke it."""

import pytest

from crawler.extraction import charsets

PASHTO = "د هلمند په ګرشک کې د یوې پلې څنګ ته دوه کسان ټپيان شول او لاره وتړل شوه."
DARI = "دو تن در ولسوالی گرشک زخم برداشتند و راه برای یک روز بسته ماند."
ARABIC = "أصيب شخصان في مديرية غريشك وأغلق الطريق ليوم واحد كما قال السكان."
RUSSIAN = "Двое ранены в уезде Герешк, дорога закрыта на день, говорят жители."
FRENCH = "À Gereshk, deux blessés : la route a été fermée, dit l’élu « du côté est »."


def read_wrong(text, charset):
    """The text as UTF-8 that a program read in another charset."""
    read = ""
    for byte in text.encode():
        read += bytes([byte]).decode(charset, "ignore") or chr(byte)
    return read


@pytest.mark.parametrize("charset", ["cp1252", "latin-1"])
@pytest.mark.parametrize("text", [PASHTO, DARI, ARABIC, RUSSIAN, FRENCH])
def test_text_that_was_read_as_western_reads_as_it_was_written(charset, text):
    """Words of one letter are mended with the rest."""
    twice = read_wrong(text, charset)
    assert charsets.undo_double_encoding(twice) == text


@pytest.mark.parametrize("text", [PASHTO, DARI, ARABIC])
def test_text_that_was_read_as_windows_1256_reads_as_it_was_written(text):
    assert charsets.undo_double_encoding(read_wrong(text, "cp1256")) == text


def test_text_that_was_read_as_windows_1251_reads_as_it_was_written():
    assert charsets.undo_double_encoding(read_wrong(RUSSIAN, "cp1251")) == RUSSIAN


@pytest.mark.parametrize("text", [PASHTO, DARI, ARABIC, RUSSIAN, FRENCH])
def test_a_text_that_was_encoded_once_is_left_alone(text):
    assert charsets.undo_double_encoding(text) == text


MENU = '<div class="menu"><a href="/section/world/asia/south">News</a></div>' * 60


@pytest.mark.parametrize(
    ("text", "charset"),
    [
        (ARABIC, "cp1256"),
        (DARI.replace("ی", "ي").replace("ک", "ك"), "cp1256"),
        (RUSSIAN, "cp1251"),
        (RUSSIAN, "koi8-r"),
        (FRENCH, "cp1252"),
        ("Zwölf Männer überquerten den Fluß – „zu früh“, hieß es.", "cp1252"),
    ],
)
@pytest.mark.parametrize("declared", [None, "text/html; charset=iso-8859-1"])
def test_an_undeclared_charset_is_told_by_the_letters(text, charset, declared):
    """However much markup stands around them, and whatever a server says by default."""
    body = f"<html><body>{MENU}<p>{text}</p></body></html>".encode(charset)
    assert text in charsets.decode_page(body, declared)


@pytest.mark.parametrize("text", [PASHTO, RUSSIAN, FRENCH])
@pytest.mark.parametrize("fault", [b"\xff", b"\xe2\x80", b"\xd9"])
def test_one_broken_byte_costs_one_letter(text, fault):
    """A short page in UTF-8 with a broken byte is still in UTF-8."""
    read = charsets.decode_page(f"<p>{text}</p>".encode() + fault + b"<p>end</p>")
    assert text in read
    assert read.count("\ufffd") == 1
