"""A daemon's share: every service has one owner, and the variable takes the setting's place."""

from __future__ import annotations

from pathlib import Path

import pytest

from detector.config.catalogue import load_catalogue
from detector.config.partition import Partition
from detector.config.settings import load_settings
from detector.errors import ConfigError


@pytest.mark.parametrize("total", [1, 2, 4, 7])
def test_every_service_has_exactly_one_owner(total: int) -> None:
    """And no owner has nothing, with a catalogue of hundreds."""
    shares = [Partition(number, total) for number in range(1, total + 1)]
    owned = [[service.slug for service in load_catalogue() if share.owns(service.slug)] for share in shares]

    assert sorted(slug for slugs in owned for slug in slugs) == sorted(service.slug for service in load_catalogue())
    assert all(owned)


@pytest.mark.parametrize("text", ["0/4", "5/4", "1", "a/b", "1/0", "-1/2", "1/2/3", "\u0661/2"])
def test_what_is_no_partition_is_refused_with_its_line(tmp_path: Path, text: str) -> None:
    """In the file by its line, in the variable by its name."""
    path = tmp_path / "detector.toml"
    path.write_text(f'[watch]\npartition = "{text}"\n', encoding="utf-8")

    with pytest.raises(ConfigError, match=r"detector.toml:2: watch.partition: .*second of four"):
        load_settings(path, {})
    with pytest.raises(ConfigError, match=r"DETECTOR_PARTITION: .*second of four"):
        load_settings(None, {"DETECTOR_PARTITION": text})


def test_one_file_serves_all_partitions_each_with_its_database(tmp_path: Path) -> None:
    """The variable goes before the setting, and each partition's database stands beside the others."""
    path = tmp_path / "detector.toml"
    path.write_text('[watch]\npartition = "1/4"\n[store]\npath = "d.db"\n', encoding="utf-8")

    assert load_settings(path, {}).store.path == tmp_path / "d-1of4.db"
    assert load_settings(path, {"DETECTOR_PARTITION": "2/4"}).store.path == tmp_path / "d-2of4.db"
    assert load_settings(path, {"DETECTOR_PARTITION": " "}).watch.partition == "1/4"
    assert load_settings(None, {}).watch.partition is None
