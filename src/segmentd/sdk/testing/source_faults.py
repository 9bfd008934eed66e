"""A source gets over faults, or says so, and keeps its secrets."""
# ruff: noqa: S101 - a suite of tests

from __future__ import annotations

import pytest

from segmentd.domain.errors import AuthError, SegmentdError, TransientError
from segmentd.sdk.testing import faults
from segmentd.sdk.testing.bench import (
    FAULTS,
    PLACES,
    Recorder,
    at,
    frozen_clock,
    serving,
    text_of,
)
from segmentd.sdk.testing.sandbox import Request, Response
from segmentd.sdk.testing.shop_contents import Bench, assert_read_whole, fill
from segmentd.sdk.testing.source_case import SourceCase


class SourceFaults(SourceCase):
    """The network, the server and the credentials; see SourceConformance."""

    # -- F17 to F29: faults are got over, or said

    @pytest.mark.parametrize("place", PLACES)
    @pytest.mark.parametrize("fault", FAULTS)
    def test_f18_to_f27_one_fault_costs_nothing(self, bench: Bench, fault: str, place: str) -> None:
        fill(bench, 2 * self.page_size + 1)
        with bench.counted() as requests:
            bench.read("orders")
        bench.sandbox.faults[:] = at(place, requests[0], FAULTS[fault])
        assert_read_whole(bench, "orders", bench.read("orders"))
        assert bench.sandbox.faults == [], "the fault was not met"

    def test_f25_waits_exactly_as_long_as_the_server_says(self, bench: Bench) -> None:
        fill(bench, 1)
        times: list[float] = []

        def refuse(request: Request, handle: object) -> Response:  # noqa: ARG001
            times.append(bench.runtime.monotonic())
            return Response(429, {"retry-after": "17"})

        def serve_late(request: Request, handle: faults.Handler) -> Response:
            times.append(bench.runtime.monotonic())
            return handle(request)

        bench.sandbox.faults[:] = [refuse, serve_late]
        assert_read_whole(bench, "customers", bench.read("customers"))
        assert 17 <= times[1] - times[0] < 19
        assert bench.runtime.meter.waited >= 17

    @pytest.mark.parametrize("place", PLACES)
    @pytest.mark.parametrize("fault", ["status-500", "page-instead-of-json", "reset"])
    def test_f26_a_lasting_fault_is_no_end(self, bench: Bench, fault: str, place: str) -> None:
        fill(bench, 2 * self.page_size + 1)
        with bench.counted() as requests:
            bench.read("orders")
        script = at(place, requests[0], FAULTS[fault])
        bench.sandbox.faults[:] = script + [FAULTS[fault]] * 200
        with bench.counted() as requests:
            reading = bench.read_until_error("orders")
        assert isinstance(reading.error, TransientError), "reading must not end as if complete"
        assert requests[0] <= len(script) + 10, "a storm of retries"

    # -- rights and secrets

    def test_f35_wrong_secrets_stop_at_once(self, bench: Bench) -> None:
        fill(bench, 1)
        with bench.wrong_secrets() as wrong, bench.counted() as requests:
            with bench.source() as source, pytest.raises(AuthError) as raised:
                source.info()
            assert isinstance(bench.read_until_error("customers").error, AuthError)
        assert requests[0] <= 12, "a storm of retries"
        assert bench.leaked([text_of(raised.value)]) == []
        assert not [secret for secret in wrong if secret in text_of(raised.value)]

    def test_f35_a_lasting_401_is_an_auth_error(self, bench: Bench) -> None:
        fill(bench, 1)
        bench.sandbox.faults[:] = [faults.status(401, body=b'{"message":"no"}')] * 200
        with bench.counted() as requests:
            reading = bench.read_until_error("customers")
        assert isinstance(reading.error, AuthError)
        assert requests[0] <= 6, "a storm of retries"

    @pytest.mark.parametrize("code", [301, 302, 307, 308])
    def test_f22_follows_no_redirect(self, bench: Bench, code: int) -> None:
        fill(bench, 1)
        other = Recorder(frozen_clock())
        with serving(other) as elsewhere:
            bench.sandbox.faults[:] = [faults.redirect(f"{elsewhere}/steal", code)] * 200
            reading = bench.read_until_error("customers")
        assert isinstance(reading.error, SegmentdError)
        assert other.log == []

    @pytest.mark.parametrize("code", [400, 401, 403, 404, 500])
    def test_i14_no_secret_in_errors_or_logs(self, bench: Bench, code: int) -> None:
        fill(bench, 1)
        bench.sandbox.faults[:] = [faults.echo_everything(code)] * 200
        reading = bench.read_until_error("customers")
        assert isinstance(reading.error, SegmentdError)
        assert bench.leaked([text_of(reading.error)]) == []

    def test_i14_no_secret_in_addresses(self, bench: Bench) -> None:
        fill(bench, 1)
        bench.read("customers")
        addresses = [
            f"{entry.request.path}?{entry.request.query_string}" for entry in bench.sandbox.log
        ]
        assert bench.leaked(addresses, self.public_credentials) == []
