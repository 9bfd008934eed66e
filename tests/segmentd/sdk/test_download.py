"""Large files over real HTTP, from servers that break off, send too much, or something else."""

from __future__ import annotations

import gzip
import random
import re
from collections.abc import Iterator, Mapping
from contextlib import closing

import pytest

from segmentd.domain.errors import AuthError, ConfigError, RejectedError, TransientError
from segmentd.sdk.contract import Runtime
from segmentd.sdk.download import classify_range, read_lines
from segmentd.sdk.http import HttpClient
from segmentd.sdk.testing import faults
from segmentd.sdk.testing.sandbox import Fault, Request, Response, Sandbox
from segmentd.sdk.testing.server import serve

TEXT = b"".join(b'{"line": %d, "text": "%s"}\n' % (n, b"x" * (n % 50)) for n in range(20_000))
LINES = TEXT.splitlines()


class Files(Sandbox):
    """One file, in parts if it is asked for parts."""

    content = TEXT
    ranges = True
    packed = False

    def handle(self, request: Request) -> Response:
        asked = re.fullmatch(r"bytes=(\d+)-", request.headers.get("range", ""))
        if asked and self.ranges:
            start = int(asked[1])
            if start >= len(self.content):
                return Response(416, {"content-range": f"bytes */{len(self.content)}"})
            end = f"{len(self.content) - 1}/{len(self.content)}"
            part = {"content-range": f"bytes {start}-{end}"}
            return Response(206, part, self.content[start:])
        if self.packed and "gzip" in request.headers["accept-encoding"]:
            return Response(200, {"content-encoding": "gzip"}, gzip.compress(self.content))
        return Response(200, {}, self.content)

    def is_write(self, request: Request) -> bool:
        return False

    def credentials(self) -> Mapping[str, str]:
        return {}

    def settings(self, url: str) -> Mapping[str, object]:
        return {}


@pytest.fixture
def files() -> Files:
    return Files()


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
def runtime(slept: list[float]) -> Runtime:
    return Runtime(slept.append, random=random.Random(3), timeout=5.0)


@pytest.fixture
def http(files: Files, runtime: Runtime) -> Iterator[HttpClient]:
    with (
        serve(files) as url,
        closing(HttpClient(url, runtime, classify=classify_range)) as client,
    ):
        yield client


def is_object(line: bytes) -> bool:
    return line.startswith(b"{") and line.endswith(b"}")


def read(http: HttpClient, runtime: Runtime, start: int = 0) -> list[bytes]:
    found = []
    for end, lines in read_lines(http, "/file?Signature=a%2Fb", runtime, is_object, start):
        size = len(b"\n".join(lines))
        assert TEXT[end - size - 1 : end].strip(b"\n") == b"\n".join(lines)
        found += lines
    return found


def test_every_line_with_the_offset_behind_it(
    http: HttpClient, runtime: Runtime, files: Files
) -> None:
    assert read(http, runtime) == LINES
    [entry] = files.log
    assert (entry.request.path, entry.request.query_string) == ("/file", "Signature=a%2Fb")
    assert runtime.meter.requests == 1


@pytest.mark.parametrize("ranges", [True, False])
def test_goes_on_behind_an_offset(
    http: HttpClient, runtime: Runtime, files: Files, ranges: bool
) -> None:
    files.ranges = ranges
    start = len(b"\n".join(LINES[:777])) + 1
    assert read(http, runtime, start) == LINES[777:]
    assert len(files.log) == 1


def test_a_packed_file_is_unpacked_and_its_rest_comes_plain(
    http: HttpClient, runtime: Runtime, files: Files
) -> None:
    files.packed = True
    files.faults = [faults.cut_body(9_000)]
    assert read(http, runtime) == LINES
    [first, second] = [entry.request.headers for entry in files.log]
    assert "gzip" in first["accept-encoding"]
    assert second["accept-encoding"] == "identity"
    assert second["range"] != "bytes=0-"


def test_broken_connections_are_taken_up(
    http: HttpClient, runtime: Runtime, files: Files, slept: list[float]
) -> None:
    files.faults = [faults.cut_body(90_000), faults.reset(), faults.cut_body(70_001)]
    assert read(http, runtime) == LINES
    assert len(files.log) == 4
    assert len(slept) == 1


@pytest.mark.parametrize(
    "fault",
    [
        faults.status(503),
        faults.status(429, {"retry-after": "2"}),
        faults.html(),
        faults.before(b"<br />\nWarning\n"),
        faults.body(b"null\n"),
    ],
    ids=["503", "429", "page", "warning", "null"],
)
def test_what_is_not_the_file_is_asked_for_again(
    http: HttpClient, runtime: Runtime, files: Files, fault: Fault
) -> None:
    files.faults = [fault]
    assert read(http, runtime) == LINES
    assert runtime.meter.retries == 1


def test_breaking_again_and_again_ends_in_trouble(
    http: HttpClient, runtime: Runtime, files: Files
) -> None:
    files.faults = [faults.cut_body(66_000)] * 50
    with pytest.raises(TransientError, match=r"reset|broken"):
        read(http, runtime)
    assert len(files.log) == 6


def test_never_the_file_ends_in_trouble(http: HttpClient, runtime: Runtime, files: Files) -> None:
    files.faults = [faults.html()] * 50
    with pytest.raises(TransientError, match="another than the file"):
        read(http, runtime)
    assert len(files.log) == 6


def test_an_end_that_comes_too_early_is_left_to_the_caller(
    http: HttpClient, runtime: Runtime, files: Files
) -> None:
    files.faults = [faults.truncated_json(10_000)]
    found = read(http, runtime)
    assert found == LINES[: len(found)]
    assert 0 < len(found) < len(LINES)
    assert len(b"\n".join(found)) < 10_000, "a line cut in two is no line"


def test_a_last_line_without_its_end(http: HttpClient, runtime: Runtime, files: Files) -> None:
    files.content = TEXT.rstrip(b"\n")
    assert read(http, runtime) == LINES


def test_nothing_behind_the_end(http: HttpClient, runtime: Runtime, files: Files) -> None:
    assert read(http, runtime, len(TEXT)) == []
    files.ranges = False
    assert read(http, runtime, len(TEXT)) == []
    assert len(files.log) == 2


def test_an_empty_file(http: HttpClient, runtime: Runtime, files: Files) -> None:
    files.content = b""
    assert read(http, runtime) == []


def test_another_part_than_asked_for_is_refused(
    http: HttpClient, runtime: Runtime, files: Files
) -> None:
    files.faults = [faults.answer(Response(206, {"content-range": "bytes 0-9/10"}, TEXT))]
    with pytest.raises(RejectedError, match="another part"):
        read(http, runtime, 40)


def test_a_line_without_end_is_refused(
    http: HttpClient, runtime: Runtime, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("segmentd.sdk.download._LONGEST_LINE", 100_000)
    files.content = b"{" + b"x" * 300_000
    with pytest.raises(RejectedError, match="longer than"):
        read(http, runtime)


@pytest.mark.parametrize(
    ("code", "error"), [(403, AuthError), (404, RejectedError), (302, ConfigError)]
)
def test_what_is_refused_is_not_asked_for_again(
    http: HttpClient, runtime: Runtime, files: Files, code: int, error: type[Exception]
) -> None:
    files.faults = [faults.status(code, {"location": "http://203.0.113.7/"})]
    with pytest.raises(error) as raised:
        read(http, runtime)
    assert "Signature" not in str(raised.value)
    assert len(files.log) == 1


def test_reading_may_stop_anywhere(http: HttpClient, runtime: Runtime, files: Files) -> None:
    with closing(read_lines(http, "/file", runtime, is_object)) as lines:
        assert next(lines)[1][0] == LINES[0]
    assert read(http, runtime) == LINES
