"""Counts the pages of a PDF without interpreting it: in time and memory that its size bounds."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator

from aichat_server.files.domain.sniffing import NotAFileError, Sniffed

MOST_PAGES = 600
MOST_INFLATED = 64 * 1024 * 1024
"""The most bytes of all compressed lists of objects together."""
MOST_LISTS = 20_000
"""The most compressed lists of objects, of which each has a hundred or so."""
MOST_NODES = 2_000
"""The most nodes of the tree of pages, old versions of them included."""

_HEAD = 1024
_PIECE = 256 * 1024
_INPUT = 16 * 1024
# How far the ends of a node's dictionary are from its type: a node may name each page.
_BEFORE, _BEHIND = 1024, 8 * 1024
_LIST_HEAD = 1024

_ENCRYPTED = re.compile(rb"/Encrypt\s{0,64}(<<|\d{1,10}\s{1,64}\d{1,5}\s{1,64}R)")
_NODE = re.compile(rb"/Type\s{0,64}/Pages\b")
_PAGE = re.compile(rb"/Type\s{0,64}/Page\b")
_COUNT = re.compile(rb"/Count\s{1,64}(\d{1,9})\b")
_BRACKET = re.compile(rb"<<|>>")
_LIST = b"/ObjStm"
_STREAM = re.compile(rb"stream\r?\n")


def sniff_pdf(data: memoryview) -> Sniffed | None:
    """Returns a PDF and the number of its pages; None if the bytes are none.

    Raises NotAFileError if it is encrypted, has no page or too many, or is a bomb.
    """
    if b"%PDF-" not in bytes(data[:_HEAD]):
        return None
    pages = leaves = nodes = 0
    for piece in _readable(data):
        if _ENCRYPTED.search(piece):
            raise NotAFileError("is an encrypted PDF; remove its password first")
        leaves += len(_PAGE.findall(piece))
        for found in _NODE.finditer(piece):
            nodes += 1
            pages = max(pages, _count(piece, found.start()))
        if pages > MOST_PAGES or nodes > MOST_NODES:
            raise _too_long()
    if not pages and not leaves:
        raise NotAFileError("begins as a PDF and has no pages")
    # Old versions of pages stay in a PDF: only far more pages than the tree counts show that it is wrong.
    if leaves > MOST_PAGES * 4:
        raise _too_long()
    return Sniffed("application/pdf", pages=pages or min(leaves, MOST_PAGES))


def _too_long() -> NotAFileError:
    return NotAFileError(f"is a PDF of more than {MOST_PAGES} pages; split it")


def _count(piece: bytes, at: int) -> int:
    """Returns the count in the dictionary around this place; 0 if it has none."""
    depth, begin, end = 0, max(0, at - _BEFORE), at + _BEHIND
    for bracket in reversed(list(_BRACKET.finditer(piece, begin, at))):
        depth += 1 if bracket[0] == b">>" else -1
        if depth < 0:
            begin = bracket.end()
            break
    depth = 0
    for bracket in _BRACKET.finditer(piece, at, end):
        depth += 1 if bracket[0] == b"<<" else -1
        if depth < 0:
            end = bracket.start()
            break
    return max((int(count) for count in _COUNT.findall(piece, begin, end)), default=0)


def _readable(data: memoryview) -> Iterator[bytes]:
    """Yields the PDF in pieces that overlap, and each compressed list of objects: newer PDFs hold the tree there."""
    left, lists = MOST_INFLATED, 0
    for start in range(0, len(data), _PIECE):
        piece = bytes(data[start : start + _PIECE + _BEHIND])
        yield piece
        at = piece.find(_LIST)
        while 0 <= at < _PIECE:
            lists += 1
            if found := _STREAM.search(piece, at, at + _LIST_HEAD):
                for inflated in _inflate(data[start + found.end() :], left):
                    left -= len(inflated)
                    yield inflated
            if left <= 0 or lists > MOST_LISTS:
                raise NotAFileError(f"is a PDF whose objects have more than {MOST_INFLATED} bytes")
            at = piece.find(_LIST, at + 1)


def _inflate(data: memoryview, most: int) -> Iterator[bytes]:
    """Yields a compressed stream in pieces that overlap, about `most` bytes; nothing if it is not compressed."""
    inflater, at, given, tail = zlib.decompressobj(), 0, b"", b""
    while most > 0 and not inflater.eof and (given or at < len(data)):
        given, at = (given, at) if given else (bytes(data[at : at + _INPUT]), at + _INPUT)
        try:
            piece = inflater.decompress(given, _PIECE)
        except zlib.error:
            return
        given = inflater.unconsumed_tail
        if piece:
            yield tail + piece
            most -= len(piece)
            tail = piece[-_BEHIND:]
