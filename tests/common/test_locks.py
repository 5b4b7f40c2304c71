"""Two holders of one lock: the second is told, and waits or gives up."""

import threading
from pathlib import Path

import pytest

from common import locks


def test_who_has_to_wait_is_told_once_and_gets_the_lock_afterwards(tmp_path: Path) -> None:
    order, told = [], threading.Event()

    def second() -> None:
        with locks.hold(tmp_path / "lock", told.set):
            order.append("second")

    waiting = threading.Thread(target=second)
    with locks.hold(tmp_path / "lock", lambda: pytest.fail("nobody holds the lock yet")):
        waiting.start()
        assert told.wait(10)
        order.append("first")
    waiting.join(10)
    assert order == ["first", "second"]


def test_who_does_not_want_to_wait_leaves_the_lock_to_its_holder(tmp_path: Path) -> None:
    def refuse() -> None:
        raise TimeoutError

    with locks.hold(tmp_path / "lock"):
        for _ in range(2):
            with pytest.raises(TimeoutError), locks.hold(tmp_path / "lock", refuse):
                pass
    with locks.hold(tmp_path / "lock", refuse):
        pass
