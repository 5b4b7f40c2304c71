"""What each process that `forks` starts would otherwise work out anew."""

from common import fingerprint

fingerprint.of_code("pipeline.dag")
