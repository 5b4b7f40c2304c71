"""Whether the user of a step may write where the step has to, told before anything is loaded."""

import errno
import os
import tempfile

from common.errors import UserError

_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)


def check(option: str, path: str) -> None:
    """Tries it: permissions alone do not tell what a server of files allows.

    Args:
      option: how the path is given, for the message.
      path: absolute. A file; or a folder, where it is not there the one that it would be made in.

    Raises:
      UserError: it cannot be written by this user.
      OSError: it cannot be written for another reason, such as a full disk.
    """
    while not os.path.exists(path):
        path = os.path.dirname(path)
    try:
        if os.path.isdir(path):
            with tempfile.TemporaryFile(dir=path):
                pass
        else:
            with open(path, "r+b"):
                pass
    except OSError as error:
        if error.errno not in _REFUSED:
            raise
        raise UserError(f"{option}: {_refusal(path, error)}") from error


def _refusal(path: str, error: OSError) -> str:
    user, group = os.geteuid(), os.getegid()
    if error.errno == errno.EROFS:
        return f"user {user} cannot write to {path!r}: it is mounted read-only; mount it for writing"
    state = os.stat(path)
    return (
        f"user {user} (group {group}) cannot write to {path!r}, which belongs to {state.st_uid}:{state.st_gid} with "
        f"mode {state.st_mode & 0o7777:o}; either let the pods have `fsGroup: {group}` in their securityContext, or "
        f"change the owner on the volume: chown -R {user}:{group} {path}"
    )
