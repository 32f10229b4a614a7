"""requirements.lock: what a server installs is pinned with hashes, whole, and agrees with setup.cfg."""

from __future__ import annotations

import configparser
import re
from importlib import metadata
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
EXTRAS = ("apps", "mqtt")
"""What a server may run; tools of the tests are not locked."""


def locked() -> dict[str, tuple[Requirement, list[str]]]:
    """Name -> the pinned requirement and its hashes."""
    found: dict[str, tuple[Requirement, list[str]]] = {}
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8").replace("\\\n", " ")
    for line in text.splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            hashes = re.findall(r"--hash=sha256:([0-9a-f]{64})", line)
            requirement = Requirement(line.split("--hash")[0].strip())
            found[canonicalize_name(requirement.name)] = (requirement, hashes)
    return found


def wanted() -> list[Requirement]:
    """What setup.cfg asks for."""
    config = configparser.ConfigParser(interpolation=None)
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    listed = config["options"]["install_requires"].splitlines()
    for extra in EXTRAS:
        listed += config["options.extras_require"][extra].splitlines()
    return [Requirement(line) for line in listed if line.strip()]


LOCKED = locked()


def test_every_package_is_pinned_to_one_version_with_its_hashes() -> None:
    assert len(LOCKED) > 20
    for name, (requirement, hashes) in LOCKED.items():
        assert re.fullmatch(r"==[\w.!+]+", str(requirement.specifier)), name
        assert hashes, name
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert "--index-url" not in text and "://" not in text


@pytest.mark.parametrize("requirement", wanted(), ids=lambda r: str(r.name))
def test_what_setup_cfg_asks_for_is_locked_in_a_version_that_it_allows(requirement: Requirement) -> None:
    pinned, _ = LOCKED[canonicalize_name(requirement.name)]
    (version,) = (s.version for s in pinned.specifier)
    assert requirement.specifier.contains(version, prereleases=True), f"{requirement} but {version} is locked"


def test_whatever_the_locked_packages_need_is_locked_too() -> None:
    """As far as the packages that are installed here tell: `pip install --require-hashes` would refuse else."""
    environment = {key: str(value) for key, value in default_environment().items()}
    extras: dict[str, set[str]] = {name: {""} | set(requirement.extras) for name, (requirement, _) in LOCKED.items()}
    for requirement in wanted():
        extras[canonicalize_name(requirement.name)] |= set(requirement.extras)
    looked_at = 0
    for name in LOCKED:
        try:
            needs = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue  # of another platform or Python
        looked_at += 1
        for need in (Requirement(text) for text in needs):
            told = [{**environment, "extra": extra} for extra in extras[name]]
            if need.marker is None or any(need.marker.evaluate(e) for e in told):
                assert canonicalize_name(need.name) in LOCKED, f"{name} needs {need.name}"
    assert looked_at > 20
