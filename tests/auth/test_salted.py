"""Keys that are kept: for whom, how many, and not the passwords."""

from __future__ import annotations

import pickle
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from pgallop.auth.salted import SaltedPasswords
from pgallop.auth.scram import KeyParameters
from pgallop.limits import MAX_SALTED_PASSWORDS

SALTED = KeyParameters(b"salt", 4096)


def test_for_the_same_password_salt_and_rounds() -> None:
    kept = SaltedPasswords()
    assert kept.find("pencil", SALTED) is None
    kept.add("pencil", SALTED, b"key")
    assert kept.find("pencil", KeyParameters(b"salt", 4096)) == b"key"
    for password, parameters in (
        ("Pencil", SALTED),
        ("", SALTED),
        ("pencil", KeyParameters(b"salz", 4096)),
        ("pencil", KeyParameters(b"salt", 4097)),
    ):
        assert kept.find(password, parameters) is None
    assert SaltedPasswords().find("pencil", SALTED) is None


def test_the_most_recently_used() -> None:
    kept = SaltedPasswords(limit=3)
    for password in "abc":
        kept.add(password, SALTED, password.encode())
    assert kept.find("a", SALTED) == b"a"
    kept.add("d", SALTED, b"d")
    assert [kept.find(password, SALTED) for password in "abcd"] == [b"a", None, b"c", b"d"]
    many = SaltedPasswords()
    for i in range(10 * MAX_SALTED_PASSWORDS):
        many.add(str(i), SALTED, b"")
    assert len(many._keys) == MAX_SALTED_PASSWORDS


def test_event_loops_in_several_threads() -> None:
    kept = SaltedPasswords(limit=3)
    end = time.monotonic() + 1.5

    def keep(thread: int) -> None:
        parameters = [KeyParameters(b"%d %d" % (thread, i), 4096) for i in range(7)]
        while time.monotonic() < end:
            for each in parameters:
                kept.add("pencil", each, b"key")
                kept.find("pencil", each)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(keep, range(8)))
    finally:
        sys.setswitchinterval(interval)
    assert len(kept._keys) <= 3 + 8  # what a thread has found goes back in


def test_the_password_is_not_kept() -> None:
    kept = SaltedPasswords()
    for password in ("open sesame", "p\udce4ss"):
        kept.add(password, SALTED, b"key")
        assert kept.find(password, SALTED) == b"key"
    assert b"open sesame" not in pickle.dumps(kept._keys)
