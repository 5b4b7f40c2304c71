"""Whether the doctor finds what is wrong, and says so in a line and an exit code."""

import importlib.metadata

import pytest

from modeling import weights
from pipeline import command, doctor


def test_a_sound_environment_is_sound(capfd: pytest.CaptureFixture[str]) -> None:
    assert doctor.main([]) == command.DONE
    lines = capfd.readouterr().out.splitlines()
    assert {line.split()[0] for line in lines} == {"ok"}
    assert any(line.startswith("ok   package   tfx ") for line in lines)


def test_each_finding_is_a_line(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    import tensorflow as tf

    capfd.readouterr()  # what it says while it is imported
    monkeypatch.setattr(doctor, "_PACKAGES", ("no-such-package",))
    monkeypatch.setattr(doctor, "_MODULES", ("no_such_module",))
    monkeypatch.setattr(weights, "at_hand", lambda *_: False)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda _: [])
    assert doctor.main(["--gpu", "--weights", "VGG16"]) == command.UNHEALTHY
    out, err = capfd.readouterr()
    bad = [line for line in out.splitlines() if line.startswith("BAD")]
    assert [line.split()[1] for line in bad] == ["package", "import", "gpu", "weights"]
    assert "No module named 'no_such_module'" in bad[1]
    assert "none seen by TensorFlow" in bad[2]
    assert err == ""


def test_an_environment_without_kubeflow_s_sdk_is_sound(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def version(package: str) -> str:
        raise importlib.metadata.PackageNotFoundError(package)

    monkeypatch.setattr(doctor, "_PACKAGES", ())
    monkeypatch.setattr(doctor, "_MODULES", ())
    monkeypatch.setattr(importlib.metadata, "version", version)
    assert doctor.main([]) == command.DONE
    assert "ok   kubeflow  none: the package kfp is not installed; pip install " in capfd.readouterr().out
