"""What ``hookkit.inbox.inbox`` promises, held over every inbox: admitting."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import pytest

from hookkit.core.entry import Filter, State
from tests.inbox.making import (
    NOW,
    admit,
    after,
    attempt,
    claim,
    claim_one,
    deliver,
    done,
    item,
    kept,
    payload,
    record,
)


def test_new_event_becomes_a_pending_entry(inbox):
    receipt = inbox.admit(deliver(item("m-1")))

    (one,) = receipt.admitted
    assert (one.event_id, one.is_new, one.is_conflict) == ("m-1", True, False)
    assert one.state is State.PENDING
    assert [found.id for found in inbox.find(Filter(state=State.PENDING))] == [one.entry_id]


def test_receipt_follows_the_payloads_order(inbox):
    inbox.admit(deliver(item("m-5")))

    receipt = inbox.admit(deliver(item("m-9"), item("m-5"), item("m-1")))

    seen = [(one.event_id, one.is_new) for one in receipt.admitted]
    assert seen == [("m-9", True), ("m-5", False), ("m-1", True)]
    assert (receipt.new_count, receipt.duplicate_count) == (2, 1)


def test_entry_tells_what_its_item_said(inbox):
    told = item("m-1", lane="c-1", fact="message:m-1", problem="text: missing")

    inbox.admit(deliver(told))

    (found,) = inbox.find()
    assert (found.endpoint, found.event_id, found.version) == ("support", "m-1", "v2")
    assert (found.vendor_type, found.problem) == ("conversation:message", "text: missing")
    assert (found.lane, found.fact) == ("c-1", "message:m-1")
    assert (found.received_at, found.next_attempt_at) == (NOW, None)
    assert (found.claim_count, found.conflicts, found.attempts) == (0, 0, ())


def test_duplicate_stores_nothing(inbox):
    inbox.admit(deliver(item("m-1"), body=b"first"))

    receipt = inbox.admit(deliver(item("m-1"), body=b"second", received_at=after(60)))

    (one,) = receipt.admitted
    assert (one.is_new, one.is_conflict) == (False, False)
    assert kept(inbox) == [(b"first", False)]
    assert [(found.received_at, found.conflicts) for found in inbox.find()] == [(NOW, 0)]


def test_duplicate_names_the_first_entry_and_how_it_stands(inbox):
    (entry_id,) = admit(inbox, "m-1")
    inbox.settle(claim_one(inbox), done(), now=NOW)

    (one,) = inbox.admit(deliver(item("m-1"))).admitted

    assert (one.entry_id, one.state) == (entry_id, State.DONE)


def test_only_what_is_new_of_a_delivery_is_admitted(inbox):
    inbox.admit(deliver(item("m-1"), body=b"first"))

    inbox.admit(deliver(item("m-1"), item("m-2"), body=b"second"))

    assert kept(inbox) == [(b"first", False), (b"second", False)]
    bodies = {entry.event_id: entry.body for entry in claim(inbox)}
    assert bodies == {"m-1": b"first", "m-2": b"second"}


def test_event_id_is_unique_within_its_endpoint_only(inbox):
    inbox.admit(deliver(item("m-1"), endpoint="support"))

    (one,) = inbox.admit(deliver(item("m-1"), endpoint="sales")).admitted

    assert one.is_new
    assert {found.endpoint for found in inbox.find()} == {"support", "sales"}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param("M-1", "m-1", id="case"),
        pytest.param("m-1", "m-1 ", id="space at the end"),
        pytest.param("é", "e\N{COMBINING ACUTE ACCENT}", id="composed"),
    ],
)
def test_event_ids_are_told_apart_byte_for_byte(inbox, first, second):
    receipt = inbox.admit(deliver(item(first), item(second)))

    assert receipt.new_count == 2


def test_event_id_twice_in_one_body_is_one_entry(inbox):
    receipt = inbox.admit(deliver(item("m-1"), item("m-1")))

    assert [one.is_new for one in receipt.admitted] == [True, False]
    assert len({one.entry_id for one in receipt.admitted}) == 1
    assert [entry.position for entry in claim(inbox)] == [0]


def test_other_content_twice_in_one_body_is_a_conflict_of_that_delivery(inbox):
    two = deliver(item("m-1"), item("m-1", text="other"), item("m-1", text="third"))

    receipt = inbox.admit(two)

    assert [one.is_conflict for one in receipt.admitted] == [False, True, True]
    assert kept(inbox) == [(two.body, True)]
    assert [found.conflicts for found in inbox.find()] == [1]


def test_conflict_keeps_its_delivery_and_the_first_content(inbox):
    inbox.admit(deliver(item("m-1"), body=b"first"))

    receipt = inbox.admit(deliver(item("m-1", text="other"), body=b"second"))

    (one,) = receipt.admitted
    assert (one.is_new, one.is_conflict) == (False, True)
    assert kept(inbox) == [(b"first", False), (b"second", True)]
    assert [found.conflicts for found in inbox.find()] == [1]
    assert claim_one(inbox).body == b"first"


def test_same_conflicting_bytes_are_counted_and_not_kept_again(inbox):
    inbox.admit(deliver(item("m-1"), body=b"first"))
    inbox.admit(deliver(item("m-1", text="other"), body=b"second"))

    inbox.admit(deliver(item("m-1", text="other"), body=b"second", received_at=after(60)))
    inbox.admit(deliver(item("m-1", text="third"), body=b"third"))

    assert kept(inbox) == [(b"first", False), (b"second", True), (b"third", True)]
    assert [found.conflicts for found in inbox.find()] == [3]


def test_bytes_kept_for_what_was_new_are_not_kept_again_for_their_conflict(inbox):
    inbox.admit(deliver(item("m-1"), body=b"first"))
    inbox.admit(deliver(item("m-1", text="other"), item("m-2"), body=b"second"))

    inbox.admit(deliver(item("m-1", text="other"), item("m-2"), body=b"second"))

    assert kept(inbox) == [(b"first", False), (b"second", True)]


def test_same_conflicting_bytes_at_another_endpoint_are_kept(inbox):
    for endpoint in ("support", "sales"):
        inbox.admit(deliver(item("m-1"), endpoint=endpoint, body=b"first"))

    for endpoint in ("support", "sales"):
        inbox.admit(deliver(item("m-1", text="other"), endpoint=endpoint, body=b"second"))

    assert [is_conflict for _, is_conflict in kept(inbox)] == [False, False, True, True]


# With windows of 60 s, NOW lies 5.123 s after a slot began.
@pytest.mark.parametrize(
    ("second_at", "is_new"),
    [
        pytest.param(1, False, id="same slot"),
        pytest.param(55, False, id="next slot, younger"),
        pytest.param(59.999, False, id="next slot, just younger"),
        pytest.param(60, True, id="next slot, as old as the window"),
        pytest.param(114, True, id="next slot, older"),
        pytest.param(3600, True, id="an hour later"),
    ],
)
def test_event_without_id_and_time_is_new_again_after_its_window(inbox, second_at, is_new):
    first, second = (
        deliver(
            item("tap", of=payload(received_at=after(at)), repeat_after_s=60),
            received_at=after(at),
        )
        for at in (0, second_at)
    )
    inbox.admit(first)

    (one,) = inbox.admit(second).admitted

    assert one.is_new is is_new
    assert len(inbox.find()) == 1 + is_new
    assert len(kept(inbox)) == 1 + is_new


def test_duplicate_of_the_slot_before_names_that_entry(inbox):
    early, late = (
        item("tap", of=payload(received_at=after(at)), repeat_after_s=60, text=text)
        for at, text in ((50, "first"), (58, "other"))
    )
    (first,) = inbox.admit(deliver(early, received_at=after(50))).admitted

    (second,) = inbox.admit(deliver(late, received_at=after(58))).admitted

    assert (second.entry_id, second.event_id) == (first.entry_id, first.event_id)
    assert second.is_conflict
    assert [found.conflicts for found in inbox.find()] == [1]


def say(inbox, *said, subject="status", window_s=60):
    """Deliver ``("on", 0)`` as "it is on" after 0 s; return for each whether it is new."""
    news = []
    for what, at in said:
        of = payload(received_at=after(at))
        one = item(f"says-{what}", text=what, of=of, repeat_after_s=window_s).about(subject)
        (admitted,) = inbox.admit(deliver(one, received_at=after(at))).admitted
        news.append(admitted.is_new)
    return news


@pytest.mark.parametrize(
    ("said", "news"),
    [
        pytest.param([("on", 0), ("off", 1), ("on", 2)], [True, True, True], id="flips back"),
        pytest.param(
            [("on", 0), ("off", 1), ("on", 2), ("off", 3), ("on", 4)], [True] * 5, id="many times"
        ),
        pytest.param([("on", 0), ("on", 1)], [True, False], id="sent again"),
        pytest.param(
            [("on", 0), ("off", 1), ("on", 2), ("on", 3)],
            [True, True, True, False],
            id="the last one sent again",
        ),
        pytest.param(
            [("on", 0), ("off", 1), ("on", 2), ("off", 3), ("off", 4), ("off", 30)],
            [True, True, True, True, False, False],
            id="sent again more than once",
        ),
        pytest.param(
            [("on", 0), ("on", 60), ("on", 61)], [True, True, False], id="after its window"
        ),
        pytest.param([("on", 0), ("on", 59.999)], [True, False], id="at the end of its window"),
    ],
)
def test_state_is_new_unless_it_is_the_last_that_was_said_of_its_subject(inbox, said, news):
    assert say(inbox, *said) == news
    assert len({found.event_id for found in inbox.find()}) == len(inbox.find()) == sum(news)


def test_window_may_be_shorter_than_the_slots_of_the_ids(inbox):
    def press(at):
        of = payload(received_at=after(at), slot_s=300)
        one = item("menu", of=of, repeat_after_s=30)
        (admitted,) = inbox.admit(deliver(one, received_at=after(at))).admitted
        return admitted

    presses = [press(at) for at in (0, 29, 90, 100, 180)]

    assert [one.is_new for one in presses] == [True, False, True, False, True]
    assert presses[3].event_id == presses[2].event_id != presses[0].event_id


def test_what_is_said_of_another_subject_or_endpoint_changes_nothing(inbox):
    assert say(inbox, ("on", 0)) == [True]
    assert say(inbox, ("off", 1), subject="another") == [True]
    of = payload("sales", after(2))
    other = item("says-off", of=of, repeat_after_s=60).about("status")
    inbox.admit(deliver(other, endpoint="sales", received_at=after(2)))

    assert say(inbox, ("on", 3)) == [False]


def test_event_with_an_id_ends_the_repetition_of_its_subject(inbox):
    def deleted(at):
        return say(inbox, ("deleted", at), subject="tag")

    assert deleted(0) == [True]
    inbox.admit(deliver(item("created-1").about("tag"), received_at=after(1)))

    assert deleted(2) == [True]
    inbox.admit(deliver(item("created-1").about("tag"), received_at=after(3)))
    assert deleted(4) == [False]


def test_states_in_one_delivery_are_told_apart_in_their_order(inbox):
    items = [
        item(f"says-{what}", text=what, repeat_after_s=60).about("status")
        for what in ("on", "on", "off", "on")
    ]

    first = inbox.admit(deliver(*items)).admitted
    again = inbox.admit(deliver(items[3], received_at=after(1))).admitted

    assert [one.is_new for one in first] == [True, False, True, True]
    assert len({one.event_id for one in first}) == 3
    assert again[0].event_id == first[3].event_id


@pytest.mark.parametrize("said", [("on", "off"), ("off", "on")])
def test_last_state_of_a_delivery_is_the_last_whatever_the_order_of_their_ids(inbox, said):
    items = [item(f"says-{what}", text=what, repeat_after_s=60).about("status") for what in said]
    first = inbox.admit(deliver(*items)).admitted

    again = inbox.admit(deliver(items[1], received_at=after(1))).admitted

    assert (again[0].is_new, again[0].entry_id) == (False, first[1].entry_id)


def test_entry_keeps_the_id_that_tells_it_from_what_was_said_before(inbox):
    say(inbox, ("on", 0), ("off", 1), ("on", 2))

    event_ids = [entry.event_id for entry in claim(inbox, at=10)]

    assert event_ids == [found.event_id for found in reversed(inbox.find())]
    assert event_ids[2].startswith(f"{event_ids[0]}~")


def test_duplicate_that_only_time_tells_says_so(inbox):
    def admit(one, at):
        (admitted,) = inbox.admit(deliver(one, received_at=after(at))).admitted
        return admitted.repeat_after_s

    tap = item("tap", repeat_after_s=60)

    assert (admit(tap, 0), admit(tap, 1)) == (None, 60)
    assert (admit(item("m-1"), 0), admit(item("m-1"), 1)) == (None, None)


def test_entry_without_a_subject_still_stops_its_redelivery(inbox):
    # As an older hookkit has stored it.
    tap = item("tap", repeat_after_s=60)
    inbox.admit(deliver(replace(tap, subject=None, repeat_after_s=None)))

    (again,) = inbox.admit(deliver(tap, received_at=after(1))).admitted

    assert not again.is_new


def test_body_and_headers_come_back_exactly(inbox):
    body = bytes(range(256)) * 4
    headers = {"x-odd": "caf\xe9 \ud800 \x00 \U0001f600", "content-type": "text/plain"}

    inbox.admit(deliver(item("m-1"), body=body, headers=headers))

    entry = claim_one(inbox)
    assert (entry.body, type(entry.body)) == (body, bytes)
    assert dict(entry.headers) == headers


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        pytest.param("caf\xe9", "caf\xe9", id="letters"),
        pytest.param("a\ud800b", "a\\ud800b", id="lone surrogate"),
        pytest.param("a\x00b", "a\\x00b", id="NUL"),
        pytest.param("x" * 255, "x" * 255, id="longest"),
        pytest.param("x" * 256, "x" * 254 + "…", id="too long"),
        pytest.param("\x00" * 255, ("\\x00" * 64)[:254] + "…", id="too long with its escapes"),
    ],
)
def test_any_text_of_a_payload_can_be_stored(inbox, sent, stored):
    of = payload(version=sent)
    odd = item(sent, of=of, vendor_type=sent, lane=sent, fact=sent, problem=sent * 99)

    inbox.admit(deliver(odd, version=sent))

    (found,) = inbox.find()
    assert (found.vendor_type, found.version) == (stored, stored)
    assert (found.event_id, found.lane, found.fact) == (odd.event_id, odd.lane, odd.fact)
    assert len(found.problem) <= 10_000


@pytest.mark.usefixtures("no_vendor_waits")
def test_body_of_ten_thousand_items_is_admitted(inbox):
    ids = [f"m-{number}" for number in range(10_000)]
    many = deliver(*(item(event_id) for event_id in ids), body=b"many")

    first = inbox.admit(many)
    second = inbox.admit(many)

    assert (first.new_count, second.new_count) == (10_000, 0)
    assert second.duplicate_count == 10_000
    assert kept(inbox) == [(b"many", False)]
    claimed = claim(inbox, limit=1_200)
    assert [entry.event_id for entry in claimed] == ids[:1_200]


def test_of_all_threads_that_admit_an_event_at_once_one_is_first(inbox, eager_threads):
    threads = 8
    start = Barrier(threads)

    def admit_the_same(number):
        start.wait()
        ids = ["m-1", "m-2", "m-3"] if number % 2 else ["m-3", "m-2", "m-1"]
        return inbox.admit(deliver(*(item(event_id) for event_id in ids), body=b"%d" % number))

    with ThreadPoolExecutor(threads) as pool:
        receipts = list(pool.map(admit_the_same, range(threads)))

    assert sum(receipt.new_count for receipt in receipts) == 3
    assert len(inbox.find()) == 3
    assert sum(receipt.new_count > 0 for receipt in receipts) == len(kept(inbox))


def test_threads_that_admit_the_same_events_in_other_orders_do_not_block_each_other(inbox):
    threads = 4
    start = Barrier(threads)
    ids = [f"m-{number}" for number in range(500)]

    def admit_all(number):
        start.wait()
        in_order = ids if number % 2 else ids[::-1]
        return inbox.admit(deliver(*(item(event_id) for event_id in in_order)))

    with ThreadPoolExecutor(threads) as pool:
        receipts = list(pool.map(admit_all, range(threads)))

    assert sum(receipt.new_count for receipt in receipts) == len(ids)


def test_of_threads_with_other_content_each_is_first_or_a_conflict(inbox, eager_threads):
    threads = 8
    start = Barrier(threads)

    def admit_another(number):
        start.wait()
        (one,) = inbox.admit(deliver(item("m-1", text=f"{number}"))).admitted
        return one

    with ThreadPoolExecutor(threads) as pool:
        admitted = list(pool.map(admit_another, range(threads)))

    assert sorted((one.is_new, one.is_conflict) for one in admitted) == [
        *[(False, True)] * (threads - 1),
        (True, False),
    ]
    assert [found.conflicts for found in inbox.find()] == [threads - 1]
    assert sorted(is_conflict for _, is_conflict in kept(inbox)) == [False] + [True] * 7


def test_entries_are_found_newest_first(inbox):
    admit(inbox, "m-2", "m-1")
    admit(inbox, "m-3", endpoint="sales")

    everywhere = [found.event_id for found in inbox.find()]
    here = {found.event_id for found in inbox.find(Filter(endpoint="support"))}

    assert everywhere[0] == "m-3"
    assert (set(everywhere), here) == ({"m-1", "m-2", "m-3"}, {"m-1", "m-2"})
    assert [found.event_id for found in inbox.find(limit=1)] == ["m-3"]
    assert [found.id for found in inbox.find()] == sorted(
        (found.id for found in inbox.find()), reverse=True
    )


def test_entries_are_found_by_state(inbox):
    admit(inbox, "m-1")
    admit(inbox, "m-2")
    entry = claim_one(inbox, limit=1)

    found = [one.event_id for one in inbox.find(Filter(state=State.RUNNING, endpoint="support"))]

    assert found == [entry.event_id] == ["m-1"]
    assert inbox.find(Filter(state=State.DEAD)) == []


def test_every_state_is_counted(inbox):
    admit(inbox, "m-1", "m-2", "m-3")
    inbox.settle(claim_one(inbox, limit=1), done(attempt()), now=NOW)

    counts = inbox.counts()

    assert counts == dict.fromkeys(State, 0) | {State.PENDING: 2, State.DONE: 1}


def test_closed_inbox_opens_anew(inbox):
    (entry_id,) = admit(inbox, "m-1")

    inbox.close()

    assert record(inbox, entry_id).event_id == "m-1"
    assert admit(inbox, "m-1") == [entry_id]


def test_body_is_read_as_json_again(inbox):
    sent = {"events": [{"id": "m-1"}]}

    inbox.admit(deliver(item("m-1"), body=json.dumps(sent).encode()))

    assert json.loads(claim_one(inbox).body) == sent
