"""Content codings: undone whole or refused with a reason, within the limit."""

import gzip
import zlib

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from crawler import content_encoding
from crawler.content_encoding import DecodeFailure


def raw_deflate(data):
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


PACK = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.compress,
}


@given(st.binary(max_size=5000), st.sampled_from(sorted(PACK)))
def test_what_was_packed_comes_back(data, coding):
    """Every coding that is asked for can be undone."""
    assert (
        content_encoding.decode_body(PACK[coding](data), coding, limit=10_000) == data
    )


@given(st.binary(min_size=1, max_size=5000), st.sampled_from(sorted(PACK)), st.data())
def test_a_cut_body_is_never_taken_for_a_whole_one(data, coding, pick):
    """A stream that ends early is `bad_encoding`.

    Nothing of it is parsed and no validator kept (case 47).
    """
    packed = PACK[coding](data)
    cut = packed[: pick.draw(st.integers(1, len(packed) - 1))]
    undone = content_encoding.decode_body(cut, coding, limit=10_000)
    # zlib streams carry their checksum last; without it the data may be there, and the
    # end is still missing.
    assert isinstance(undone, DecodeFailure) or content_encoding.looks_plain(cut)


@given(
    st.binary(max_size=300),
    st.sampled_from(
        [*sorted(PACK), "", "identity", "gzip, br", "gzip,gzip,gzip", "ziggy"]
    ),
)
def test_no_bytes_make_it_fail(data, coding):
    """Junk under any label is a value, never an exception."""
    assert isinstance(
        content_encoding.decode_body(data, coding, limit=100), bytes | DecodeFailure
    )


@pytest.mark.parametrize("coding", sorted(PACK))
def test_a_bomb_is_cut_at_the_limit(coding):
    """A hundred million zeros in a few hundred bytes are refused as too large."""
    undone = content_encoding.decode_body(
        PACK[coding](bytes(100_000_000)), coding, limit=5_000_000
    )
    assert isinstance(undone, DecodeFailure)
    assert undone.reason == "too_large"


def test_two_layers_are_undone_and_three_are_refused():
    """Stacked codings multiply a bomb's reach."""
    packed = gzip.compress(brotli.compress(b"<p>news</p>"))
    assert content_encoding.decode_body(packed, "br, gzip", limit=100) == b"<p>news</p>"
    refused = content_encoding.decode_body(
        gzip.compress(packed), "br, gzip, gzip", limit=100
    )
    assert isinstance(refused, DecodeFailure)
    assert refused.reason == "bad_encoding"


def test_an_unknown_coding_is_an_error():
    """Bytes in a coding that was never asked for are not handed on as text (case 48)."""
    assert isinstance(
        content_encoding.decode_body(b"\x00\x01", "compress", limit=100), DecodeFailure
    )


def test_plain_text_under_a_lying_label_is_taken_as_it_is():
    """Servers that say gzip and send the page as it stands are read (case 48)."""
    assert (
        content_encoding.decode_body(b"<?xml version='1.0'?><rss/>", "gzip", limit=100)
        == b"<?xml version='1.0'?><rss/>"
    )


def test_deflate_comes_with_and_without_its_header():
    """The RFC asks for zlib's header, many servers leave it out."""
    assert (
        content_encoding.decode_body(raw_deflate(b"news" * 50), "deflate", limit=1000)
        == b"news" * 50
    )


def test_a_partial_body_is_kept_as_far_as_it_goes():
    """robots.txt counts up to its first 500 kB, cut or not."""
    packed = gzip.compress(b"Disallow: /a\n" * 10_000)
    assert (
        content_encoding.decode_body(packed[:-20], "gzip", limit=500, partial=True)
        == (b"Disallow: /a\n" * 10_000)[:500]
    )


def test_several_gzip_members_are_one_body():
    """Log-style concatenation is allowed by the RFC."""
    assert (
        content_encoding.decode_body(
            gzip.compress(b"one ") + gzip.compress(b"two"), "gzip", limit=100
        )
        == b"one two"
    )
