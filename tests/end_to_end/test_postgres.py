from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from tests.support.postgres import PostgresError, find_binaries, running_postgres


def test_without_postgresql_the_message_names_the_debian_package(tmp_path: Path) -> None:
    with pytest.raises(PostgresError, match="apt-get install postgresql"):
        find_binaries(path=str(tmp_path), versions=tmp_path)


def test_the_newest_of_debians_versions_is_taken(tmp_path: Path) -> None:
    for version in ("9.6", "15", "17"):
        folder = tmp_path / version / "bin"
        folder.mkdir(parents=True)
        for name in ("initdb", "postgres"):
            (folder / name).touch(mode=0o755)
    (tmp_path / "17" / "bin" / "postgres").unlink()
    assert find_binaries(path=str(tmp_path), versions=tmp_path) == tmp_path / "15" / "bin"


@pytest.mark.postgres
def test_the_server_answers_until_the_block_ends_and_leaves_nothing() -> None:
    with running_postgres() as server, psycopg.connect(server.url) as connection:
        assert connection.execute("SELECT current_database(), current_user").fetchone() == (
            server.dbname,
            server.user,
        )
        (folder,) = connection.execute("SHOW data_directory").fetchone() or ("",)
        assert Path(folder).parent.is_dir()
    assert not Path(folder).parent.exists()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(server.url, connect_timeout=5)
