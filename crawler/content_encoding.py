"""Content-Encoding, undone within limits: a bomb is cut, a broken stream is an error.

Scrapy's own middleware hands on a truncated gzip and an unknown coding as if nothing
were wrong, and undoes any number of layers; here each of these is a value with a
reason.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import brotli  # type: ignore[import-untyped]
import zstandard

MAX_CODINGS = 2
STEP_BYTES = 1 << 18  # of output asked for at a time
# The window that browsers and RFC 9659 allow; a larger one is a memory bomb.
ZSTD_WINDOW_BYTES = 1 << 23


@dataclass(frozen=True, slots=True)
class DecodeFailure:
    """Why a body cannot be had: `bad_encoding` or `too_large`, and what exactly."""

    reason: str
    detail: str


class _TooLarge(Exception):
    pass


class _Truncated(Exception):
    pass


def decode_body(
    raw: bytes, encoding: str | None, *, limit: int, partial: bool = False
) -> bytes | DecodeFailure:
    """The body without its content codings, at most `limit` bytes of it.

    `partial` takes what can be had of a body that was cut on purpose (robots.txt: its
    first 500 kB).
    """
    codings = []
    for part in (encoding or "").split(","):
        name = part.strip().lower()
        if name and name not in {"identity", "none", "utf-8"}:
            codings.append(name)
    if len(codings) > MAX_CODINGS:
        return DecodeFailure("bad_encoding", f"{len(codings)} layers of content coding")

    for coding in reversed(codings):
        decoded = _decode_layer(raw, coding, limit=limit, partial=partial)
        if isinstance(decoded, DecodeFailure):
            return decoded
        raw = decoded
    if partial:
        return raw[:limit]
    return raw


def _decode_layer(
    raw: bytes, coding: str, *, limit: int, partial: bool
) -> bytes | DecodeFailure:
    decode = CODINGS.get(coding)
    if decode is None:
        return DecodeFailure("bad_encoding", f"unknown content coding {coding[:30]!r}")
    if not raw:
        return raw
    out = bytearray()
    try:
        decode(raw, out, limit)
    except _TooLarge:
        if partial:
            return bytes(out[:limit])
        return DecodeFailure("too_large", f"more than {limit} bytes after {coding}")
    except _Truncated:
        if partial:
            return bytes(out)
        return DecodeFailure("bad_encoding", f"truncated {coding}")
    except (zlib.error, brotli.error, zstandard.ZstdError) as error:
        # Servers that name a coding and send the plain text are common enough to be
        # read as what they are.
        if looks_plain(raw):
            return raw
        return DecodeFailure("bad_encoding", f"{coding}: {str(error)[:100]}")
    return bytes(out)


def looks_plain(raw: bytes) -> bool:
    """Whether bytes that claim to be packed begin like a page, a feed or robots.txt."""
    head = raw[:200].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return head.startswith((b"<", b"{", b"[", b"user-agent", b"#", b"sitemap"))


def _grow(out: bytearray, piece: bytes, limit: int) -> None:
    out += piece
    if len(out) > limit:
        raise _TooLarge


def _gzip(raw: bytes, out: bytearray, limit: int) -> None:
    """One or more gzip members.

    What follows the last one and is not gzip is ignored, as browsers do.
    """
    rest = raw
    while rest.startswith(b"\x1f\x8b") or not out:
        stream = zlib.decompressobj(wbits=31)
        rest = _zlib_stream(stream, rest, out, limit)
        if not stream.eof:
            raise _Truncated
        if not rest:
            return


def _deflate(raw: bytes, out: bytearray, limit: int) -> None:
    """With the zlib header that the RFC asks for, or without as many servers send it."""
    wbits = -15
    if len(raw) > 1 and raw[0] & 0x0F == 8 and (raw[0] << 8 | raw[1]) % 31 == 0:
        wbits = 15
    stream = zlib.decompressobj(wbits=wbits)
    _zlib_stream(stream, raw, out, limit)
    if not stream.eof:
        raise _Truncated


def _zlib_stream(
    stream: "zlib._Decompress", raw: bytes, out: bytearray, limit: int
) -> bytes:
    while True:
        piece = stream.decompress(raw, STEP_BYTES)
        _grow(out, piece, limit)
        raw = stream.unconsumed_tail
        if stream.eof or not (raw or len(piece) == STEP_BYTES):
            return stream.unused_data


def _brotli(raw: bytes, out: bytearray, limit: int) -> None:
    stream = brotli.Decompressor()
    piece = stream.process(raw, output_buffer_limit=STEP_BYTES)
    _grow(out, piece, limit)
    while not stream.is_finished() and not stream.can_accept_more_data():
        _grow(out, stream.process(b"", output_buffer_limit=STEP_BYTES), limit)
    if not stream.is_finished():
        raise _Truncated


def _zstd(raw: bytes, out: bytearray, limit: int) -> None:
    decompressor = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW_BYTES)
    stream = decompressor.stream_reader(raw, read_across_frames=True)
    while piece := stream.read(STEP_BYTES):
        _grow(out, piece, limit)
    if not zstd_is_whole(raw):
        raise _Truncated


def zstd_is_whole(raw: bytes) -> bool:
    """Whether the first zstd frame ends within the bytes.

    The reader itself stops silently where they end.
    """
    decompressor = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW_BYTES)
    stream = decompressor.decompressobj()
    for start in range(0, len(raw), 1 << 14):
        if stream.eof:
            return True
        stream.decompress(raw[start : start + (1 << 14)])
    return stream.eof


CODINGS: dict[str, Callable[[bytes, bytearray, int], None]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "br": _brotli,
    "zstd": _zstd,
}
