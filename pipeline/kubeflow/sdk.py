"""KFP's SDK, which is installed by the extra `kubeflow` alone."""

import importlib.metadata

from common.errors import UserError


def check() -> None:
    """Tells that the SDK is not there before anything is loaded that needs it.

    Raises:
      UserError: it is not installed.
    """
    for package in ("kfp", "kfp-kubernetes"):
        try:
            importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError as error:
            raise UserError(
                f"the package {package} is not installed; pip install 'image-classification-pipeline[kubeflow]' adds it"
            ) from error
