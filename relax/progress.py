"""Progress of long work as plain lines: which stage, how far, how fast, how long still."""

import logging
import time

logger = logging.getLogger("relax")


class Progress:
    """Logs a line when work starts, about every ``every`` seconds, and when it ends.

    Args:
        label: what is being done, e.g. ``"train tiny relax seed 1"``.
        total: number of units.
        unit: name of a unit, plural.
        every: seconds between two lines.
    """

    def __init__(self, label: str, total: int, unit: str = "steps", every: float = 5.0) -> None:
        self.label, self.total, self.unit, self.every = label, total, unit, every
        self._start = self._last = time.monotonic()
        self._first: int | None = None

    def update(self, done: int, **numbers: float) -> None:
        """``done`` units of ``total`` are behind us; ``numbers`` are shown with three digits."""
        now = time.monotonic()
        if self._first is None:
            # After a resume the rate must not count what an earlier process did.
            self._first, self._start = done, now
        if done < self.total and now - self._last < self.every:
            return
        self._last = now
        rate = (done - self._first) / (now - self._start) if now > self._start and done > self._first else 0.0
        left = f", {duration((self.total - done) / rate)} left" if rate and done < self.total else ""
        speed = f", {rate:.3g} {self.unit}/s" if rate else ""
        shown = "".join(f", {name} {value:.3g}" for name, value in numbers.items())
        logger.info("%s: %d of %d %s%s%s%s", self.label, done, self.total, self.unit, speed, left, shown)


def duration(seconds: float) -> str:
    """``42 s``, ``5.3 min``, ``2.1 h``."""
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:,.1f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 1 or seconds == 0 else "< 1 s"
