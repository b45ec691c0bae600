"""The vendors that hookkit knows keep what it asks of a vendor of a user's own."""

import pytest

from hookkit import HookkitError
from hookkit.senders import SENDERS
from hookkit.testing import ProviderContract
from tests.key_server import pem_of, public_pem_of, shared_key
from tests.senders.test_senders import PAIRS, endpoint_of

SECRET = "the-secret-of-every-test"
KEY = shared_key()


class TestSunshine(ProviderContract):
    settings = {"provider": "sunshine", "secrets": [SECRET]}


class TestLiveChat(ProviderContract):
    settings = {"provider": "livechat", "secrets": [SECRET]}


class TestEightByEight(ProviderContract):
    settings = {"provider": "8x8", "keys": public_pem_of(KEY)}
    secret = pem_of(KEY).decode()


class TestStandard(ProviderContract):
    settings = {"provider": "standard", "secrets": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]}


class TestGeneric(ProviderContract):
    settings = {
        "provider": "generic",
        "secrets": [SECRET],
        "scheme": {
            "header": "X-Shop-Signature",
            "prefix": "v1=",
            "signed": "{timestamp}.{body}",
            "timestamp_header": "X-Shop-Time",
        },
        "event_id": "body:event.id",
        "event_type": "body:event.kind",
    }
    payloads = [{"event": {"id": "1", "kind": "order.created"}, "order": 17}]


# Each sender of the table, as its own test class.
for _name in SENDERS:
    if _name != "generic":
        _contract = type(
            f"Test_{_name}",
            (ProviderContract,),
            {"settings": endpoint_of(_name), "secret": PAIRS.get(_name, (None,))[0]},
        )
        globals()[_contract.__name__] = _contract


def test_contract_says_what_it_needs():
    class Unset(ProviderContract):
        pass

    with pytest.raises(HookkitError, match=r"Unset\.settings: say how an endpoint"):
        Unset().test_signed_delivery_is_accepted()
