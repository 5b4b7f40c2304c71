"""Features on their way into files: encoded and written in a thread of its own, while the layers go on."""

import collections
import contextlib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import tensorflow as tf

from common import progress, unfinished
from components.feature_extractor.decoding import Batch, Shard
from modeling import features

# Features of each view of a batch by family, [batch, *shape], as they are stored.
Views = list[dict[str, tf.Tensor]]


class Writer:
    """Writes a file a shard, family and view; a shard's files get their names when the next shard begins."""

    def __init__(self, thread: ThreadPoolExecutor, files: contextlib.ExitStack, most_waiting: int) -> None:
        """Takes what `open_writer` gives it."""
        self._thread = thread
        self._files = files
        self._most_waiting = most_waiting
        self._waiting: collections.deque[Future[None]] = collections.deque()
        self._shard: Shard | None = None
        self._writers: dict[str, tf.io.TFRecordWriter] = {}

    def put(self, batch: Batch, views: "Future[Views]") -> None:
        """Takes a batch, and waits for an earlier one where too many are unwritten.

        Args:
          batch: of the shard of the batch before it, or of one that was not written yet.
          views: what the layers will have made of it.

        Raises:
          Exception: what computing or writing an earlier batch raised.
        """
        before = self._waiting[-1] if self._waiting else None
        self._waiting.append(self._thread.submit(self._write, before, batch, views))
        self._wait(self._most_waiting)

    def finish(self) -> None:
        """Waits until all is written; raises as `put` does."""
        self._wait(0)

    def _wait(self, most: int) -> None:
        while len(self._waiting) > most:
            self._waiting.popleft().result()

    def _write(self, before: "Future[None] | None", batch: Batch, views: "Future[Views]") -> None:
        if before is not None:
            before.result()  # after a failure, nothing more is written: a file that lacks a batch must get no name
        if batch.shard != self._shard:
            self._files.close()
            self._shard, self._writers = batch.shard, {}
        for view, families in enumerate(views.result()):
            for family, values in families.items():
                writer = self._writer(batch.shard.path(family, view))
                for value, label, sha256 in zip(values.numpy(), batch.labels, batch.sha256s, strict=True):
                    writer.write(features.encode(value, int(label), sha256))
            progress.advance(len(batch.labels))

    def _writer(self, path: str) -> tf.io.TFRecordWriter:
        if path not in self._writers:
            self._writers[path] = self._files.enter_context(unfinished.record_writer(path))
        return self._writers[path]


@contextlib.contextmanager
def open_writer(most_waiting: int) -> Iterator[Writer]:
    """A writer for the block, at whose end all is written; after an error, the open shard's files stay unnamed.

    Args:
      most_waiting: batches that may be computed and unwritten.
    """
    with contextlib.ExitStack() as files, ThreadPoolExecutor(1, "writer") as thread:
        writer = Writer(thread, files, most_waiting)
        yield writer
        writer.finish()
