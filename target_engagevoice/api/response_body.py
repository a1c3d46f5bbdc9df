"""The body of an answer: read and decoded, up to a limit."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import requests
from urllib3.exceptions import HTTPError, ReadTimeoutError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from urllib3 import BaseHTTPResponse

MOST_BODY_BYTES = 64 * 1024 * 1024
"""An answer's body may have so many bytes, before and after it is decompressed."""

PIECE_BYTES = 64 * 1024
_WINDOW_BITS = {"gzip": 31, "x-gzip": 31, "deflate": 15}
"""For `zlib`, by `Content-Encoding`."""

_RAW_DEFLATE = -15
"""What some servers mean by `deflate`: no header around it."""


class BodyTooLargeError(requests.RequestException):
    """The answer's body is larger than `MOST_BODY_BYTES`. The server may have done what the request asked."""


def read_body(raw: BaseHTTPResponse) -> bytes:
    """The body of an answer, decoded.

    Raises:
        requests.RequestException: It breaks off, cannot be decoded, is too large, or is not there in time.
    """
    pieces = []
    size = 0
    for piece in _pieces(raw):
        pieces.append(piece)
        size += len(piece)
        if size > MOST_BODY_BYTES:
            raise BodyTooLargeError
    return _decoded(b"".join(pieces), raw.headers.get("Content-Encoding", ""))


def _pieces(raw: BaseHTTPResponse) -> Iterator[bytes]:
    """What arrives, as the server encoded it.

    `read` takes chunks apart by `http.client`, which bounds the length of each line; `urllib3.stream` does not.
    """
    try:
        while piece := raw.read(PIECE_BYTES, decode_content=False):
            yield piece
    except ReadTimeoutError as error:
        raise requests.exceptions.ReadTimeout(error) from error
    except HTTPError as error:
        raise requests.exceptions.ChunkedEncodingError(error) from error


def _decoded(body: bytes, coding: str) -> bytes:
    """A body without its `Content-Encoding`. It is decoded here because not every `urllib3` can stop at a limit."""
    coding = coding.strip().casefold()
    if not body or coding in ("", "identity"):
        return body
    if coding not in _WINDOW_BITS:
        msg = "a Content-Encoding that was not asked for"
        raise requests.exceptions.ContentDecodingError(msg)
    try:
        return _inflate(body, _WINDOW_BITS[coding])
    except zlib.error as error:
        if coding != "deflate":
            raise requests.exceptions.ContentDecodingError(error) from error
    try:
        return _inflate(body, _RAW_DEFLATE)
    except zlib.error as error:
        raise requests.exceptions.ContentDecodingError(error) from error


def _inflate(body: bytes, window_bits: int) -> bytes:
    """Decompress a body; gzip may come in several members.

    Raises:
        zlib.error: It is damaged, or breaks off.
        BodyTooLargeError: It is too large.
    """
    members: list[bytes] = []
    left = MOST_BODY_BYTES
    while body:
        decoder = zlib.decompressobj(window_bits)
        members.append(decoder.decompress(body, left + 1))
        left -= len(members[-1])
        if left < 0:
            raise BodyTooLargeError
        if not decoder.eof:
            msg = "the body breaks off"
            raise zlib.error(msg)
        body = decoder.unused_data
    return b"".join(members)
