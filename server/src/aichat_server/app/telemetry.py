"""Opens the process's logs, metrics, traces and error reports, each if the settings name its address."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

from aichat_server.settings import Settings, SettingsError
from aichat_server.telemetry.logs import configure_logs
from aichat_server.telemetry.metrics import Metrics, open_metrics
from aichat_server.telemetry.observing import Observer, Observers
from aichat_server.telemetry.scrubbing import Scrubber


@contextmanager
def open_telemetry(
    settings: Settings, service: str, metrics_address: str | None, metrics_setting: str = "AICHAT_METRICS_LISTEN"
) -> Iterator[Observer]:
    """Sets up the process's logs, and yields its observer; raises SettingsError for an unusable address.

    `service` names the process in traces. No metrics without an address, which `metrics_setting` is to blame for.
    """
    with ExitStack() as stack:
        _configure_logs(settings, stack)
        observers: list[Observer] = []
        if metrics_address is not None:
            try:
                observers.append(Metrics(stack.enter_context(open_metrics(metrics_address))))
            except OSError as error:
                raise SettingsError(f"{metrics_setting}: {metrics_address}: {error.strerror}") from None
        if settings.otlp_endpoint is not None:
            # Loaded only now, since half of all processes do without it and would wait for it.
            traces = import_module("aichat_server.telemetry.traces")
            observers.append(stack.enter_context(traces.open_traces(settings.otlp_endpoint, service)))
        yield observers[0] if len(observers) == 1 else Observers(observers) if observers else Observer()


def _configure_logs(settings: Settings, stack: ExitStack) -> None:
    scrubber = Scrubber(_secrets(settings))
    report = None
    if settings.sentry_dsn is not None:
        # Loaded only now, since it takes half a second that most processes need not wait.
        faults = import_module("aichat_server.telemetry.faults")
        dsn = settings.sentry_dsn.get_secret_value()
        try:
            report = stack.enter_context(faults.open_faults(dsn, settings.environment, scrubber))
        except ValueError:
            raise SettingsError("SENTRY_DSN: this is no DSN") from None
    configure_logs(settings.log_level, scrubber, report)


def _secrets(settings: Settings) -> Iterator[str]:
    """Yields what must not be seen: every secret setting, and the passwords in addresses."""
    for value in [*vars(settings).values(), *(endpoint.api_key for endpoint in settings.openai_compatible)]:
        if isinstance(value, SecretStr):
            yield value.get_secret_value()
    for url in (settings.database_url, settings.migration_database_url, settings.redis_url, settings.smtp_url):
        if url is not None and (password := urlsplit(str(url)).password):
            yield password
            yield unquote(password)
