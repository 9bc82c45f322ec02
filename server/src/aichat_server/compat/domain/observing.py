"""What operators may want to see of the readers of answers."""

from __future__ import annotations


class ReaderObserver:
    """Hears of readers; this one ignores them. Must be quick, and must not fail."""

    def call_continued(self) -> None:
        """A call got the answer of the earlier call that it is a retry of."""

    def answer_abandoned(self) -> None:
        """An answer was cancelled, since nobody read it any more."""
