"""The public keys that have proved deliveries, in every inbox."""

from datetime import timedelta

import pytest

from hookkit.core.scheme import KeptKey
from hookkit.inbox.opening import open_inbox
from hookkit.inbox.sql.keys import MAX_KEPT_KEYS
from tests.inbox.making import NOW

SERVER = "https://keys.example/jwk https://keys.example/gateway"
OTHER = "https://keys.example/other"


def key(key_id, at_s=0, jwk='{"kty":"RSA"}'):
    return KeptKey(key_id, jwk, NOW + timedelta(seconds=at_s))


def test_keys_are_loaded_as_they_were_kept_newest_first(inbox):
    kept = [key("second", 2), key("first", 1), key("zeroth")]
    for each in (kept[1], kept[2], kept[0]):
        inbox.keys.keep(SERVER, each)

    assert list(inbox.keys.load(SERVER)) == kept


def test_keys_of_another_server_are_others(inbox):
    inbox.keys.keep(SERVER, key("key"))
    inbox.keys.keep(OTHER, key("key", jwk="{}"))
    inbox.keys.drop(OTHER, "key", NOW)

    assert list(inbox.keys.load(SERVER)) == [key("key")]
    assert list(inbox.keys.load(OTHER)) == []
    assert list(inbox.keys.load("")) == []


def test_key_that_was_fetched_later_replaces_the_earlier_one_and_not_the_other_way(inbox):
    inbox.keys.keep(SERVER, key("key", 1, jwk='{"n":1}'))
    inbox.keys.keep(SERVER, key("key", 2, jwk='{"n":2}'))
    inbox.keys.keep(SERVER, key("key", 1, jwk='{"n":3}'))

    assert list(inbox.keys.load(SERVER)) == [key("key", 2, jwk='{"n":2}')]


def test_key_is_dropped_unless_it_was_fetched_again_meanwhile(inbox):
    inbox.keys.keep(SERVER, key("key", 2))

    inbox.keys.drop(SERVER, "key", NOW + timedelta(seconds=1))
    assert list(inbox.keys.load(SERVER)) == [key("key", 2)]

    inbox.keys.drop(SERVER, "key", NOW + timedelta(seconds=2))
    assert list(inbox.keys.load(SERVER)) == []
    inbox.keys.drop(SERVER, "key", NOW)  # as another process has done


def test_keys_of_a_server_are_bounded(inbox):
    for number in range(MAX_KEPT_KEYS + 5):
        inbox.keys.keep(SERVER, key(f"key-{number}", number))

    loaded = inbox.keys.load(SERVER)
    assert len(loaded) == MAX_KEPT_KEYS
    assert (loaded[0].key_id, loaded[-1].key_id) == (f"key-{MAX_KEPT_KEYS + 4}", "key-5")


def test_keys_outlive_their_process(sql_url):
    first = open_inbox(sql_url)
    first.keys.keep(SERVER, key("key"))
    first.close()

    second = open_inbox(sql_url)
    assert list(second.keys.load(SERVER)) == [key("key")]
    second.close()


@pytest.mark.parametrize("name", ["s" * 255, "schlüssel"])
def test_server_may_have_a_long_name(inbox, name):
    inbox.keys.keep(name, key("k" * 64))

    assert list(inbox.keys.load(name)) == [key("k" * 64)]
