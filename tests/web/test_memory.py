"""Nothing that a stranger sends is kept beyond its request."""

import gc
import tracemalloc

from hookkit import HookKit
from tests.applications import make_app, post


def test_names_of_a_strangers_headers_are_not_kept():
    app = make_app(HookKit())
    client = app.test_client()
    post(client, b"{}", secret="a-secret-that-does-not-fit")
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(300):
            answer = client.post("/hooks/support", data=b"{}", headers={f"x-{number:0100000}": "1"})
            assert answer.status_code == 401
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert after - before < 5 << 20
