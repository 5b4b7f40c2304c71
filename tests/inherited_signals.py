"""What children do with signals. Where tests run in the background, some are ignored, and children inherit that.

Not by `preexec_fn`, for which Python forks: a child of a process in which gRPC has threads may crash before it begins.
"""

import contextlib
import signal
from collections.abc import Iterator


@contextlib.contextmanager
def inherited(number: signal.Signals, disposition: signal.Handlers = signal.SIG_DFL) -> Iterator[None]:
    """Lets the children that are started in the block do so with a signal."""
    before = signal.signal(number, disposition)
    try:
        yield
    finally:
        signal.signal(number, before)
