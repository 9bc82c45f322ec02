"""Rate limits counted by one process: by the same rules as `limits/gateway/limits.lua` for all processes."""

from __future__ import annotations

from collections.abc import Iterator

from aichat_server.limits.domain.limits import WINDOW_SECONDS, Claim, Exceeded, Granted, Limit


class LocalLimits:
    """The use of the last minute, and the open streams.

    Every `now` is in seconds of a clock that never goes back.
    """

    def __init__(self) -> None:
        self._used: dict[str, dict[int, int]] = {}
        """By limit: the use in each second."""
        self._open: dict[str, set[str]] = {}
        """By limit: the open streams."""

    def take(self, claim: Claim, now: float) -> Granted | Exceeded:
        """Grants the whole claim, or nothing."""
        joined = bool(claim.streams) and claim.stream in self._open.get(claim.streams[-1].key, ())
        windows = claim.requests if joined else claim.requests + claim.tokens
        streams = () if joined else claim.streams
        refusals = [*self._full(windows, now), *self._crowded(streams)]
        if refusals:
            return max(refusals, key=lambda refusal: refusal.wait or 0.0)
        left, used = [], []
        for limit in windows:
            seconds = self._used.setdefault(limit.key, {})
            seconds[int(now)] = seconds.get(int(now), 0) + limit.amount
            used.append(sum(seconds.values()))
            left.append(_share(limit, used[-1]))
        for limit in streams:
            names = self._open.setdefault(limit.key, set())
            names.add(claim.stream)
            left.append(_share(limit, len(names)))
        return Granted(int(now), joined, min(left), tuple(used))

    def end(self, claim: Claim, second: int, tokens: int) -> None:
        """Closes the claim's stream, and corrects its tokens to the actual number."""
        for limit in claim.streams:
            names = self._open.get(limit.key, set())
            names.discard(claim.stream)
            if not names:
                self._open.pop(limit.key, None)
        for limit in claim.tokens:
            seconds = self._used.get(limit.key, {})
            if second in seconds:
                seconds[second] += tokens - limit.amount

    def forget(self, now: float) -> None:
        """Deletes what no longer counts."""
        for key in list(self._used):
            self._recent(key, now)

    def _recent(self, key: str, now: float) -> dict[int, int]:
        """Returns what still counts. A second counts until all of it is more than a minute ago."""
        seconds = self._used.get(key, {})
        for second in [second for second in seconds if second + WINDOW_SECONDS < int(now)]:
            del seconds[second]
        if not seconds:
            self._used.pop(key, None)
        return seconds

    def _full(self, limits: tuple[Limit, ...], now: float) -> Iterator[Exceeded]:
        for limit in limits:
            seconds = self._recent(limit.key, now)
            used = sum(seconds.values())
            if used + limit.amount > limit.most:
                yield Exceeded(limit, used, _wait(seconds, used + limit.amount - limit.most, now))

    def _crowded(self, limits: tuple[Limit, ...]) -> Iterator[Exceeded]:
        for limit in limits:
            used = len(self._open.get(limit.key, ()))
            if used >= limit.most:
                yield Exceeded(limit, used, None)


def _share(limit: Limit, used: int) -> int:
    """Returns what is left of the limit, in thousandths of it."""
    return 1000 * (limit.most - used) // max(limit.most, 1)


def _wait(seconds: dict[int, int], needed: int, now: float) -> float:
    """Returns the seconds until `needed` of the use no longer counts."""
    last = int(now)
    for last in sorted(seconds):
        needed -= seconds[last]
        if needed <= 0:
            break
    return last + WINDOW_SECONDS + 1 - now
