"""The pages of endpoints: what proved what, and never a secret."""

import re
from datetime import UTC, datetime

from hookkit.core.scheme import KeptKey, KnownId
from hookkit.inbox.sql.tables import deliveries
from hookkit.keys.ring import KeyRing
from hookkit.keys.server import KeyServer
from tests.applications import OLD_SECRET, SECRET, message, post

NOBODY = "a-secret-that-is-not-there"


def endpoints(**other):
    secrets = {"provider": "sunshine", "secrets": [SECRET, OLD_SECRET]}
    return {"HOOKKIT_ENDPOINTS": {"support": secrets | other}}


def age(ops, delivery_id, days):
    with ops.inbox._transactions.write() as connection:
        earlier = deliveries.c.received_at_ms - days * 86_400_000
        row = deliveries.update().where(deliveries.c.id == delivery_id)
        connection.execute(row.values(received_at_ms=earlier))


def test_endpoints_are_listed_with_what_came_in_a_day(ops):
    ops.receive_all()
    ops.receive("event-2")
    post(ops.client, message("event-3"), secret=NOBODY)
    ops.state.receiver.report.minutes.write()

    text = ops.get("/endpoints").text

    assert "/hooks/support" in text
    cells = re.findall(r"<td>(?:<a [^>]*>)?(\d+)", text)
    assert cells == ["3", "1", "0", "0"]
    assert "no modes" in text
    assert 'href="/ops/versions/moving"' in text


def test_secrets_have_a_place_a_fingerprint_and_their_proofs(ops):
    ops.receive("event-1")
    post(ops.client, message("event-2"), secret=OLD_SECRET)

    text = ops.get("/endpoints/support").text

    uses = ops.state.rotation.of_endpoint("support")
    assert [use.fingerprint in text for use in uses] == [True, True]
    assert "secrets #1" in text
    assert "It is the newest: it stays." in text
    assert "It stays: it must have proved nothing for 7 days before it can go." in text


def test_secret_that_can_go_says_on_what_evidence(ops):
    for number, (days, secret) in enumerate([(20, OLD_SECRET), (9, SECRET), (0, SECRET)], 1):
        post(ops.client, message(f"event-{number}"), secret=secret)
        age(ops, number, days)

    text = ops.get("/endpoints/support").text

    assert "It can go: it has proved nothing for 7 days, while the newest has, from 2" in text
    assert "1 can go" in ops.get("/endpoints").text


def test_one_secret_alone_is_shown_too(make_ops):
    ops = make_ops(**endpoints(secrets=[SECRET]))

    text = ops.get("/endpoints/support").text

    assert "It is the newest, and has proved nothing yet" in text
    assert ops.state.rotation.report() == ()


def test_no_page_has_a_secret_its_length_or_a_part_of_it(make_ops):
    # No part of these is a word of the pages.
    secrets = ["qXw9-Zk4v_Pj7b-Yt2mRr", "gH3n-Vx8c_Lq5d-Wz1fKp6sT", "uQ7k:Bv2x-Jn9w_Fz4hMd"]
    token = "Ry5t-Cq8g_Xk3j-Nv6bZw1pLs"
    ops = make_ops(**endpoints(secrets=secrets[:2], basic=secrets[2:], path_token=[token]))
    secrets.append(token)
    lengths = {str(len(secret)) for secret in secrets}

    for path in ("/endpoints", "/endpoints/support", "/handlers", "/audit", "/quarantine"):
        text = ops.get(path).text
        for secret in secrets:
            assert not any(secret[at : at + 6] in text for at in range(len(secret) - 5))
    section = ops.get("/endpoints/support").text.partition('"h-secrets">')[2]
    words = re.sub(r"<[^>]*>", " ", section.partition("</section>")[0])
    assert lengths & set(re.findall(r"\b\d+\b", words)) == set()
    assert "path_token #0" in words
    assert "its use is not recorded" in words


def test_secret_that_cannot_be_had_is_told(make_ops):
    def ask():
        raise RuntimeError(SECRET)

    ops = make_ops(**endpoints(basic=ask))

    text = ops.get("/endpoints/support").text

    assert "cannot be had: RuntimeError" in text
    assert SECRET not in text


def test_unsigned_endpoint_is_called_so(make_ops):
    ops = make_ops(HOOKKIT_ENDPOINTS={"support": {"provider": "sunshine", "unsigned": True}})

    text = ops.get("/endpoints/support").text

    assert "takes what anybody sends (unsigned)" in text
    assert "nothing proves who sends" in text


def test_keys_of_a_vendor_have_their_ids(ops):
    at = datetime(2026, 3, 1, tzinfo=UTC)
    server = KeyServer("https://keys.example/{key_id}")
    ops.inbox.keys.keep(server.name, KeptKey("key-7", "{}", at))

    found = KeyRing(server=server).key_ids(ops.inbox.keys)

    assert found == [KnownId("key-7", at)]


def test_endpoint_of_keys_shows_them(make_ops):
    ops = make_ops(HOOKKIT_ENDPOINTS={"chat": {"provider": "8x8", "region": "eu"}})
    (keys,) = ops.state.settings.endpoints["chat"].keys
    assert "None has proved a delivery yet" in ops.get("/endpoints/chat").text

    ops.inbox.keys.keep(keys.server.name, KeptKey("key-7", '{"n": "hidden"}', ops.now()))
    text = ops.get("/endpoints/chat").text

    assert "key-7" in text
    assert "hidden&#34;" not in text


def test_unknown_endpoint_is_404(ops):
    assert ops.get("/endpoints/nowhere").status_code == 404


def test_handlers_that_are_fed_are_named(make_ops):
    ops = make_ops()
    ops.hooks.on("conversation:message", name="elsewhere", endpoint="other")(lambda event: None)

    text = ops.get("/endpoints/support").text

    assert "forward, greet" in text
    assert "elsewhere" not in text
