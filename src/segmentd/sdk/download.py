"""Reading a large file of lines over HTTP, in the same memory whatever its size."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator

from segmentd.domain.errors import RejectedError, TransientError
from segmentd.sdk.contract import Runtime
from segmentd.sdk.http import HttpClient
from segmentd.sdk.response import HttpResponse, classify_status
from segmentd.sdk.retry import DEFAULT_POLICY, call

Plausible = Callable[[bytes], bool]
"""Whether a line can be one of the file, and not of a page that came instead of it."""

_Lines = Generator[tuple[int, list[bytes]], None, None]
_WORTHWHILE = 2**20
"""Bytes that a connection must bring before it breaks, or it counts as a failed try."""
_LONGEST_LINE = 32 * 2**20
_NOTHING_BEHIND = 416
"""Range not satisfiable: the file ends where we want to go on."""


def read_lines(
    http: HttpClient, path: str, runtime: Runtime, plausible: Plausible, start: int = 0
) -> Generator[tuple[int, list[bytes]], None, None]:
    """The lines behind byte ``start`` of the unpacked file, some at a time, with the offset behind
    them; each line is without its line feed, which only the very last one may lack.

    A connection that breaks is taken up behind the last whole line by a request for the rest (RFC
    9110 §14.2); a server that sends the whole file again is read past what is known. The first line
    of every answer must be ``plausible``, and so must a last one that no line feed ends, else it is
    left out. Ends where the server ends the file: whether that is all of it, the caller must know.
    ``http``: its ``classify`` must let 416 pass, see ``classify_range``. Raises TransientError when
    it does not get on after several tries, and what ``classify`` raises.
    """
    tries = 0
    while True:
        begun = start
        try:
            for start, lines in _opened(http, path, runtime, plausible, start):  # noqa: B020
                yield start, lines
        except TransientError:
            tries = 1 if start - begun >= _WORTHWHILE else tries + 1
            if tries >= DEFAULT_POLICY.attempts or start == begun:
                raise
        else:
            return


def classify_range(response: HttpResponse) -> None:
    """``classify_status``, for files of which a part is asked for."""
    if response.status != _NOTHING_BEHIND:
        classify_status(response)


def _opened(
    http: HttpClient, path: str, runtime: Runtime, plausible: Plausible, start: int
) -> Iterator[tuple[int, list[bytes]]]:
    """The lines of one answer, the first of them tried for as often as the retry policy says."""

    def first_of() -> tuple[_Lines, tuple[int, list[bytes]] | None]:
        lines = _lines(http, path, plausible, start)
        first = next(lines, None)
        if first is not None and not plausible(first[1][0]):
            lines.close()
            raise TransientError("the answer is another than the file that was asked for")
        return lines, first

    lines, first = call(first_of, DEFAULT_POLICY, runtime)
    if first is not None:
        yield first
        yield from lines


def _lines(http: HttpClient, path: str, plausible: Plausible, start: int) -> _Lines:
    # a part of a packed file could not be unpacked
    headers = {"range": f"bytes={start}-", "accept-encoding": "identity"} if start else {}
    with http.download(path, headers) as (answer, pieces):
        if answer.status == _NOTHING_BEHIND:
            return
        yield from _split(_behind(answer, pieces, start), plausible, start)


def _behind(answer: HttpResponse, pieces: Iterator[bytes], start: int) -> Iterator[bytes]:
    """What lies behind ``start``, of an answer that may begin there or at the beginning."""
    known = start
    if answer.status == 206:
        if not answer.headers.get("content-range", "").startswith(f"bytes {start}-"):
            raise RejectedError(f"{answer.place}: sends another part than the one asked for")
        known = 0
    for piece in pieces:
        yield piece[known:]
        known = max(0, known - len(piece))


def _split(
    pieces: Iterator[bytes], plausible: Plausible, start: int
) -> Iterator[tuple[int, list[bytes]]]:
    begun, rest = start, b""
    for piece in pieces:
        known = len(rest)
        *lines, rest = (rest + piece).split(b"\n")
        if lines:
            start += known + len(piece) - len(rest)
            yield start, lines
        if len(rest) > _LONGEST_LINE:
            raise RejectedError(f"a line of the file is longer than {_LONGEST_LINE} bytes")
    if rest and (start == begun or plausible(rest)):
        yield start + len(rest), [rest]
