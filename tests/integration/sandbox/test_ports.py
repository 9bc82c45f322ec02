"""Where the edge of a platform listens."""

from __future__ import annotations

import socket

import pytest
from aichat_sandbox.ports import HOST, PortTakenError, edge_address, free_ports


def test_runs_beside_each_other_get_a_port_each() -> None:
    with edge_address(None) as first, edge_address(None) as second:
        assert first != second
        with socket.socket() as envoy:
            # As Envoy does it.
            envoy.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            envoy.bind((HOST, int(first.rpartition(":")[2])))
            envoy.listen()
            with edge_address(None) as third, pytest.raises(PortTakenError), edge_address(first):
                assert third not in (first, second)


@pytest.mark.parametrize("host", [HOST, "0.0.0.0", "[::1]"])  # noqa: S104
def test_an_address_that_is_given_is_kept_or_refused(host: str) -> None:
    (port,) = free_ports(1)
    given = f"{host}:{port}"
    with edge_address(given) as address:
        assert address == given
        with pytest.raises(PortTakenError, match="AICHAT_EDGE_LISTEN"), edge_address(given):
            pass


def test_a_malformed_address_is_left_to_the_edges_settings() -> None:
    with edge_address("nonsense") as address:
        assert address == "nonsense"
