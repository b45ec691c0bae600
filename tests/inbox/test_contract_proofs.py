"""What every inbox tells of the secrets that proved its deliveries."""

from hookkit.core.provider import FINGERPRINT_HEADER
from hookkit.inbox.records import IdSpan, Proofs, ProofUse
from tests.inbox.making import NOW, after, deliver, item, payload


def admit(inbox, event_id, fingerprint, *, seconds=0, secret_index=0, endpoint="support"):
    of = payload(endpoint, after(seconds))
    named = {} if fingerprint is None else {FINGERPRINT_HEADER: fingerprint}
    envelope = deliver(
        item(event_id, of=of),
        endpoint=endpoint,
        received_at=after(seconds),
        secret_index=secret_index,
        headers={**named, "content-type": "application/json"},
    )
    return inbox.admit(envelope)


def uses(proofs):
    return set(proofs.uses)


def test_nothing_was_proved_yet(inbox):
    assert inbox.reading.proofs(IdSpan()) == [Proofs(1, 0, [])]


def test_first_and_last_proof_of_each_secret_are_told(inbox):
    admit(inbox, "m-1", "11111111")
    admit(inbox, "m-2", "22222222", seconds=1, secret_index=1)
    admit(inbox, "m-3", "11111111", seconds=2)
    admit(inbox, "m-3", "22222222", seconds=3)  # a duplicate is not kept
    admit(inbox, "m-4", "11111111", seconds=4, endpoint="sales")
    admit(inbox, "m-5", None, seconds=5)  # before secrets had names
    admit(inbox, "m-6", None, seconds=6, secret_index=None)

    (found,) = inbox.reading.proofs(IdSpan())

    assert found.first_id == 1
    assert uses(found) == {
        ProofUse("support", "11111111", NOW, after(2)),
        ProofUse("support", "22222222", after(1), after(1)),
        ProofUse("sales", "11111111", after(4), after(4)),
        ProofUse("support", "", after(5), after(5)),
        ProofUse("support", None, after(6), after(6)),
    }


def test_look_is_bounded_and_goes_on_where_it_ended(inbox):
    for number in range(5):
        admit(inbox, f"m-{number}", f"{number:08}", seconds=number)

    (newest,) = inbox.reading.proofs(IdSpan(), limit=2)
    older = IdSpan(before_id=newest.first_id)
    again, older = inbox.reading.proofs(IdSpan(after_id=newest.last_id), older, limit=2)
    (oldest,) = inbox.reading.proofs(IdSpan(before_id=older.first_id), limit=2)

    found = [{use.fingerprint for use in each.uses} for each in (newest, older, oldest)]
    assert found == [{"00000004", "00000003"}, {"00000002", "00000001"}, {"00000000"}]
    assert oldest.first_id == 1
    assert (again.first_id, again.last_id, list(again.uses)) == (
        newest.last_id + 1,
        newest.last_id,
        [],
    )
