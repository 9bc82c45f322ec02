"""The gRPC server: its limits, its services, and how it starts and stops."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType

import grpc.aio
from grpc_health.v1 import health, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from aichat_server.transport.access import ForeignApi, access_by_method
from aichat_server.transport.call import Step
from aichat_server.transport.drain import Drain
from aichat_server.transport.foreign import ForeignErrors
from aichat_server.transport.metadata import check_metadata_size
from aichat_server.transport.observing import CallObserver
from aichat_server.transport.options import SERVER_OPTIONS
from aichat_server.transport.pipeline import CallInterceptor
from aichat_server.transport.services import Servicer, services_of
from aichat_server.transport.validation import Validation

# How long cancelled calls have to send their last message, and their connections to close.
_LAST_WORDS_SECONDS = 1.0
_CLOSE_SECONDS = 0.5


class RpcServer:
    """Creates a server with its services; it does not listen before `start`. Create it inside a running event loop."""

    def __init__(self, server: grpc.aio.Server, services: health.aio.HealthServicer, drain: Drain) -> None:
        self._server = server
        self._health = services
        self._drain = drain

    async def start(self, address: str) -> int:
        """Listens on `address` (`host:port`, port 0 for a free one); returns the port.

        Raises RuntimeError if it is taken.
        """
        port = self._server.add_insecure_port(address)
        await self._server.start()
        return port

    async def stop(self, grace: float, end_rest: Callable[[], Awaitable[None]], *, announce: float = 0.0) -> None:
        """Announces the shutdown, drains and stops.

        The health service reports NOT_SERVING. Calls are accepted for `announce` seconds more, so that load balancers
        have checked it by then; later ones are refused with SERVER_DRAINING, and running ones have `grace` seconds to
        finish. Then `end_rest` is awaited, which ends what they wait for.
        """
        await self._health.enter_graceful_shutdown()
        await asyncio.sleep(announce)
        self._drain.begin()
        finished = await self._drain.idle(grace)
        await end_rest()
        if not finished:
            await self._drain.idle(_LAST_WORDS_SECONDS)
        await self._server.stop(grace=_CLOSE_SECONDS)


def build_server(
    servicers: Sequence[Servicer],
    steps: Sequence[Step],
    observer: CallObserver,
    *,
    reflect: bool,
    foreign_errors: Mapping[ForeignApi, ForeignErrors] = MappingProxyType({}),
) -> RpcServer:
    """Returns a server with these services, health, and reflection if `reflect`.

    Each call passes `steps` in their order. `foreign_errors`: see CallInterceptor.
    Raises ValueError if an RPC does not say who may call it.
    """
    services = services_of(servicers)
    drain = Drain()
    checks = (check_metadata_size, *steps)
    interceptor = CallInterceptor(
        access_by_method(services), drain, checks, Validation().check, observer, foreign_errors
    )
    server = grpc.aio.server(interceptors=(interceptor,), options=SERVER_OPTIONS)
    for servicer in servicers:
        servicer.add_to(server)
    health_servicer = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health_servicer, server)
    if reflect:
        names = [service.full_name for service in services]
        reflection.enable_server_reflection((*names, health.SERVICE_NAME, reflection.SERVICE_NAME), server)
    return RpcServer(server, health_servicer, drain)
