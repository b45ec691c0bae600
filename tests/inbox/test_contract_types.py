"""Events that differ in a vendor type alone, which lies outside of what their id is made from."""

from threading import Barrier, Thread

from hookkit.core.entry import State
from tests.inbox.making import after, deliver, item

WINDOW_S = 100.0


def admit(inbox, vendor_type, *, at=0, text="hello"):
    one = item("content", vendor_type=vendor_type, text=text).told_apart_by_type(WINDOW_S)
    (admitted,) = inbox.admit(deliver(one, received_at=after(at))).admitted
    return admitted


def test_other_type_is_an_event_of_its_own_within_the_window(inbox):
    first, second, third = (admit(inbox, each) for each in ("paid", "sent", "sent"))

    assert [first.is_new, second.is_new, third.is_new] == [True, True, False]
    assert (first.event_id, second.event_id) == ("content", "content:sent")
    assert third.entry_id == second.entry_id
    assert [each.vendor_type for each in inbox.find()] == ["sent", "paid"]


def test_other_type_after_the_window_is_a_duplicate_of_the_first(inbox):
    first = admit(inbox, "paid")
    late = admit(inbox, "sent", at=WINDOW_S)

    assert (late.is_new, late.is_other_type, late.is_conflict) == (False, True, False)
    assert late.entry_id == first.entry_id
    assert inbox.counts()[State.PENDING] == 1


def test_type_that_was_told_apart_in_time_stays_a_duplicate_of_its_own(inbox):
    admit(inbox, "paid")
    in_time = admit(inbox, "sent", at=WINDOW_S - 1)
    late = admit(inbox, "sent", at=10 * WINDOW_S)

    assert (late.is_new, late.is_other_type, late.entry_id) == (False, False, in_time.entry_id)


def test_types_that_arrive_at_once_are_all_admitted(inbox):
    """On PostgreSQL several transactions find that nothing has the id yet."""
    for attempt in range(5):
        types = [f"type-{attempt}-{each}" for each in range(6)]
        barrier, told = Barrier(len(types)), []

        def race(vendor_type, barrier=barrier, told=told, attempt=attempt):
            one = item(f"content-{attempt}", vendor_type=vendor_type)
            envelope = deliver(one.told_apart_by_type(WINDOW_S))
            barrier.wait()
            told.extend(inbox.admit(envelope).admitted)

        threads = [Thread(target=race, args=[each]) for each in types]
        for each in threads:
            each.start()
        for each in threads:
            each.join()

        assert [each.is_new for each in told] == [True] * len(types)
        assert len({each.event_id for each in told}) == len(types)
