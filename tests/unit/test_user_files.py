"""Files that users name: regular ones of bounded size."""

import hashlib
import os
import socket
from pathlib import Path

import pytest

from hrtem_ood.user_files import LARGEST_BYTES, check_regular, file_sha256, read_bytes, read_text


def test_a_file_is_read_and_digested(tmp_path):
    path = tmp_path / "Å.yaml"
    path.write_bytes("\ufeffa: Å\n".encode())
    assert read_text(path, "configuration") == "a: Å\n"
    assert file_sha256(path, "crystal") == hashlib.sha256(path.read_bytes()).hexdigest()


def test_what_is_no_regular_file_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        (tmp_path / "link").symlink_to("/dev/zero")
        kinds = {"pipe": "a pipe", "socket": "a socket", "link": "a device", ".": "a folder"}
        for name, kind in kinds.items():
            for read in (read_bytes, file_sha256, check_regular):
                with pytest.raises(OSError, match="is ") as caught:
                    read(tmp_path / name, "Python file")
                assert caught.value.strerror == f"is {kind}, not a regular file"


@pytest.mark.parametrize("kind", LARGEST_BYTES)
def test_what_is_too_large_is_refused_with_the_limit(tmp_path, kind):
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(50 * 10**9)
    for read in (read_bytes, file_sha256, check_regular):
        with pytest.raises(OSError, match="too large") as caught:
            read(path, kind)
        assert str(caught.value.strerror).startswith(f"is too large: 50 GB, where a {kind} may have ")


def test_a_file_that_tells_no_size_is_read_up_to_the_limit(monkeypatch):
    # the kernel tells 0 bytes for it
    monkeypatch.setitem(LARGEST_BYTES, "configuration", 10)
    with pytest.raises(OSError, match="too large"):
        read_bytes(Path("/proc/self/status"), "configuration")


def test_a_nul_in_a_path_is_an_error_of_the_file(tmp_path):
    with pytest.raises(OSError, match="null byte"):
        check_regular(tmp_path / "a\0b", "crystal")
