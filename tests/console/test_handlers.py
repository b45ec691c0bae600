"""The page of handlers."""

from datetime import timedelta

from hookkit.inbox.sights import HandlerRuns


def test_handlers_are_listed_with_what_they_did(ops):
    ops.receive_all()

    text = ops.get("/handlers").text

    assert text.index(">forward<") < text.index(">greet<")
    assert "1 attempt" in text
    assert "ops.Ops.__init__.&lt;locals&gt;.forward" in text
    runs = ops.inbox.reading.handler_runs(ops.now() - timedelta(days=1))
    assert runs.by_handler == {"forward": HandlerRuns(2, 1), "greet": HandlerRuns(2, 0)}
    assert runs.is_whole
    assert "failures: show events" in text


def test_runs_are_counted_as_far_as_one_look_goes(make_ops, sql_url):
    ops = make_ops(HOOKKIT_DATABASE=sql_url)
    ops.receive_all()
    reading, now = ops.inbox.reading, ops.now()

    assert reading.handler_runs(now + timedelta(hours=1)).by_handler == {}
    newest = reading.handler_runs(now - timedelta(days=1), look_at=1)
    assert sum(each.runs for each in newest.by_handler.values()) == 1
    assert not newest.is_whole


def test_page_says_how_far_it_looked(ops, monkeypatch):
    ops.receive_all()
    find = type(ops.inbox.reading).handler_runs
    monkeypatch.setattr(
        type(ops.inbox.reading), "handler_runs", lambda *args: find(*args, look_at=2)
    )

    assert "as far as they are among the newest" in ops.get("/handlers").text


def test_words_of_old_versions_have_a_note(make_ops):
    ops = make_ops()
    ops.hooks.on("message:appUser", name="old")(lambda event: None)

    text = ops.get("/handlers").text

    assert "Words of old payload versions" in text
    assert "message:appUser is a word of v1, v1.1" in text
