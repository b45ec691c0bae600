"""Several deliveries in one commit: by the rules of the queue, and on SQLite itself."""

import os
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain

import pytest
from sqlalchemy import create_engine, event

from hookkit.core.entry import State
from hookkit.core.errors import ConfigurationError, Unavailable
from hookkit.core.modes import Mode
from hookkit.inbox.opening import open_inbox
from hookkit.inbox.sql import group_commit, transactions
from hookkit.inbox.sql.group_commit import GroupCommit
from hookkit.inbox.sqlite import file as sqlite_file
from hookkit.inbox.sqlite.file import FileLock
from hookkit.inbox.sqlite.transactions import SqliteTransactions
from tests.acceptance.forking import fork, forks
from tests.inbox.making import admit, deliver, item, kept, payload
from tests.inbox.racing import hold

TIMEOUT_S = 60


class Store:
    """Commits numbers; what a test says happens first, inside the transaction."""

    def __init__(self, *, poison=(), timeout_s=TIMEOUT_S):
        self.commits = []
        self.poison = set(poison)
        self.begun = threading.Event()
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.raises = None
        self.group = GroupCommit(self.commit, timeout_s=lambda: timeout_s)

    def commit(self, take, *, timeout_s):
        batch = take()
        self.begun.set()
        assert self.may_go_on.wait(TIMEOUT_S)
        if self.raises is not None:
            error, self.raises = self.raises, None
            raise error
        if bad := self.poison & set(batch):
            raise ValueError(bad)
        self.commits.append(list(batch))
        return [work * 10 for work in batch]

    @contextmanager
    def with_queue_behind(self, first, *others):
        """Have *first* lead, and *others* queue behind it in this order."""
        self.may_go_on.clear()
        with ThreadPoolExecutor(len(others) + 1) as pool:
            answers = [pool.submit(self.group.submit, first)]
            assert self.begun.wait(TIMEOUT_S)
            for number, work in enumerate(others):
                answers.append(pool.submit(self.group.submit, work))
                wait_until(lambda number=number: len(self.group._queue) == number + 1)
            yield answers
            self.may_go_on.set()


def wait_until(condition):
    for _ in range(TIMEOUT_S * 1000):
        if condition():
            return
        threading.Event().wait(0.001)
    pytest.fail("it does not come true")


def test_lone_thread_commits_at_once_in_its_own_thread():
    threads = []

    def commit(take, *, timeout_s):
        threads.append(threading.current_thread())
        return take()

    group = GroupCommit(commit, timeout_s=lambda: TIMEOUT_S)

    assert [group.submit(1), group.submit(2)] == [1, 2]
    assert threads == [threading.current_thread()] * 2


def test_those_that_wait_share_the_next_commit():
    store = Store()

    with store.with_queue_behind(1, 2, 3, 4) as answers:
        store.may_go_on.set()

    assert [one.result() for one in answers] == [10, 20, 30, 40]
    assert store.commits == [[1], [2, 3, 4]]


def test_batch_is_bounded_in_count(monkeypatch):
    monkeypatch.setattr(group_commit, "MAX_COUNT", 2)
    store = Store()

    with store.with_queue_behind(1, 2, 3, 4, 5, 6):
        store.may_go_on.set()

    assert store.commits == [[1], [2, 3], [4, 5], [6]]


def test_batch_is_bounded_in_bytes_and_takes_one_at_least(monkeypatch):
    monkeypatch.setattr(group_commit, "MAX_BYTES", 10)
    store = Store()
    sizes = {1: 11, 2: 6, 3: 4, 4: 1}
    submit = store.group.submit
    monkeypatch.setattr(store.group, "submit", lambda work: submit(work, sizes[work]))

    with store.with_queue_behind(1, 2, 3, 4):
        store.may_go_on.set()

    assert store.commits == [[1], [2, 3], [4]]


def test_error_belongs_to_the_work_that_caused_it():
    store = Store(poison={3})

    with store.with_queue_behind(1, 2, 3, 4) as answers:
        store.may_go_on.set()

    assert [one.exception() and type(one.exception()) for one in answers] == [
        None,
        None,
        ValueError,
        None,
    ]
    assert store.commits == [[1], [2], [4]]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_leader_that_is_interrupted_strands_nobody(error):
    store = Store()

    with store.with_queue_behind(1, 2, 3) as answers:
        store.raises = error()
        store.may_go_on.set()

    assert isinstance(answers[0].exception(), error)
    assert [one.result() for one in answers[1:]] == [20, 30]
    assert store.group.submit(4) == 40


def test_those_taken_by_a_leader_that_is_interrupted_are_unavailable():
    store = Store()
    interrupted = threading.Event()

    def commit(take, *, timeout_s):
        answers = commit_usually(take, timeout_s=timeout_s)
        if len(answers) > 1:
            interrupted.set()
            raise KeyboardInterrupt
        return answers

    commit_usually, store.group._commit = store.commit, commit

    with store.with_queue_behind(1, 2, 3) as answers:
        store.may_go_on.set()

    assert interrupted.is_set()
    assert isinstance(answers[1].exception(), KeyboardInterrupt)
    assert isinstance(answers[2].exception(), Unavailable)
    assert store.group.submit(4) == 40


def test_commit_that_never_began_fails_its_leader_alone():
    store = Store()
    refused = []

    def commit(take, *, timeout_s):
        if not refused and store.commits:
            refused.append(True)
            raise Unavailable("locked")
        return commit_usually(take, timeout_s=timeout_s)

    commit_usually, store.group._commit = store.commit, commit

    with store.with_queue_behind(1, 2, 3, 4) as answers:
        store.may_go_on.set()

    assert isinstance(answers[1].exception(), Unavailable)
    assert [answers[number].result() for number in (0, 2, 3)] == [10, 30, 40]
    assert store.commits == [[1], [3, 4]]


def test_wait_is_bounded_and_leaves_the_queue():
    store = Store(timeout_s=0.05)

    with store.with_queue_behind(1) as answers:
        with pytest.raises(Unavailable):
            store.group.submit(2)
        assert not store.group._queue
        store.may_go_on.set()

    assert answers[0].result() == 10
    assert store.group.submit(3) == 30
    assert store.commits == [[1], [3]]


def test_whoever_gives_up_as_its_turn_comes_passes_it_on(monkeypatch):
    store = Store()
    wait = store.group._wait

    def give_up(place):
        # As if the time ended at the moment of being woken.
        wait(place)
        if place.work == 2:
            store.group._leave(place)

    monkeypatch.setattr(store.group, "_wait", give_up)

    with store.with_queue_behind(1, 2, 3) as answers:
        store.may_go_on.set()

    assert isinstance(answers[1].exception(), Unavailable)
    assert answers[2].result() == 30
    assert store.commits == [[1], [3]]


def test_many_threads_get_their_own_answers(eager_threads):
    store = Store(poison={number for number in range(2000) if number % 97 == 5})

    def outcome_of(work):
        try:
            return store.group.submit(work)
        except ValueError:
            return "poison"

    with ThreadPoolExecutor(32) as pool:
        outcomes = list(pool.map(outcome_of, range(2000)))

    expected = ["poison" if n in store.poison else n * 10 for n in range(2000)]
    assert outcomes == expected
    assert sorted(chain.from_iterable(store.commits)) == [
        n for n in range(2000) if n not in store.poison
    ]
    assert (len(store.group._queue), store.group._leader_count) == (0, 0)


def commits_of(inbox):
    """Return a list that grows with every COMMIT on a connection opened from now on."""
    commits = []

    def trace(driver, _):
        driver.set_trace_callback(
            lambda statement: commits.append(statement) if statement == "COMMIT" else None
        )

    inbox.close()
    event.listen(inbox._transactions.engine, "connect", trace)
    return commits


def admit_at_once(inbox, envelopes):
    """Admit each envelope in a thread of its own; the writer is held until all of them wait."""
    group = inbox._transactions._admissions

    def receipt_or_error(envelope):
        try:
            return inbox.admit(envelope)
        except Unavailable as error:
            return error

    with ThreadPoolExecutor(len(envelopes)) as pool:
        with inbox._transactions.write():
            receipts = []
            for number, envelope in enumerate(envelopes):
                receipts.append(pool.submit(receipt_or_error, envelope))
                wait_until(lambda number=number: len(group._queue) == number + 1)
        return [one.result() for one in receipts]


def test_threads_share_a_commit(sqlite_inbox):
    commits = commits_of(sqlite_inbox)
    sqlite_inbox.prepare()
    commits.clear()

    receipts = admit_at_once(sqlite_inbox, [deliver(item(f"m-{n}")) for n in range(64)])

    # One is that of the transaction that held the writer.
    assert len(commits) == 2
    assert [one.new_count for one in receipts] == [1] * 64
    assert len({one.admitted[0].entry_id for one in receipts}) == 64
    assert [one.event_id for one in sqlite_inbox.find()] == [f"m-{n}" for n in range(63, -1, -1)]


def test_64_threads_with_the_same_events_make_each_an_entry_once(sqlite_inbox, eager_threads):
    commits = commits_of(sqlite_inbox)
    envelopes = [deliver(item(f"m-{n % 50}")) for n in range(500)]

    with ThreadPoolExecutor(64) as pool:
        receipts = list(pool.map(sqlite_inbox.admit, envelopes))

    assert sum(one.new_count for one in receipts) == 50
    by_event = {one.admitted[0].event_id: one.admitted[0].entry_id for one in receipts}
    assert {one.event_id: one.id for one in sqlite_inbox.find()} == by_event
    assert all(by_event[one.event_id] == one.entry_id for r in receipts for one in r.admitted)
    assert len(kept(sqlite_inbox)) == 50
    assert len(commits) < 500


MIXED = [
    deliver(item("m-1"), item("m-2"), body=b"first"),
    deliver(item("m-2"), item("m-3"), body=b"half new"),
    deliver(item("m-1", text="other"), body=b"conflict"),
    deliver(item("m-1", text="other"), body=b"conflict"),
    deliver(item("m-4"), item("m-1", text="another"), body=b"new and conflict"),
    deliver(item("m-5"), item("m-5"), item("m-5", text="other"), body=b"with itself"),
    deliver(item("m-1"), endpoint="sales", body=b"elsewhere"),
    deliver(item("m-6"), body=b"last"),
]


def test_receipts_are_those_of_separate_transactions(sqlite_inbox, tmp_path):
    alone = open_inbox(f"sqlite:///{tmp_path}/alone.db")
    expected = [alone.admit(envelope) for envelope in MIXED]

    receipts = admit_at_once(sqlite_inbox, MIXED)

    assert receipts == expected
    assert sqlite_inbox.find() == alone.find()
    assert kept(sqlite_inbox) == kept(alone)
    alone.close()


def test_first_report_of_a_fact_owns_it_within_one_commit(sqlite_inbox):
    both = {"v1.1": Mode.LIVE, "v2": Mode.LIVE}

    def report(event_id, version, fact, **more):
        of = payload(version=version)
        return deliver(item(event_id, of=of, fact=fact, **more), version=version, modes=both)

    receipts = admit_at_once(
        sqlite_inbox,
        [
            report("m-1", "v1.1", "fact-1"),
            report("m-2", "v2", "fact-1"),
            report("m-3", "v2", "fact-2"),
            report("m-2", "v2", "fact-1", text="a conflict"),
            report("m-4", "v1.1", "fact-2"),
            report("m-5", "v1.1", "fact-1"),
        ],
    )

    run, twin = State.PENDING, State.TWIN
    assert [one.admitted[0].state for one in receipts] == [run, twin, run, twin, twin, run]
    assert [one.new_count for one in receipts] == [1, 1, 1, 0, 1, 1]
    stored = {one.event_id: one.state for one in sqlite_inbox.find()}
    assert stored == {"m-1": run, "m-2": twin, "m-3": run, "m-4": twin, "m-5": run}


def test_delivery_that_cannot_be_stored_fails_no_neighbour(sqlite_inbox):
    with sqlite_inbox._transactions.write() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER refuse BEFORE INSERT ON hookkit_entries WHEN NEW.event_id = 'm-3'"
            " BEGIN SELECT RAISE(ABORT, 'refused'); END"
        )

    outcomes = admit_at_once(sqlite_inbox, [deliver(item(f"m-{n}")) for n in range(6)])

    assert [isinstance(one, Unavailable) for one in outcomes] == [n == 3 for n in range(6)]
    assert sorted(one.event_id for one in sqlite_inbox.find()) == [
        f"m-{n}" for n in range(6) if n != 3
    ]
    assert len(kept(sqlite_inbox)) == 5


def test_forked_process_has_a_queue_of_its_own(sqlite_inbox):
    parents = sqlite_inbox._transactions._admissions
    # Somebody leads, in a thread that a child does not have.
    parents._leader_count = 1

    sqlite_inbox.after_fork()

    assert sqlite_inbox._transactions._admissions is not parents
    assert admit(sqlite_inbox, "m-1")


@contextmanager
def held_by_another_process(path):
    is_held, let_go = forks.Event(), forks.Event()
    process = fork(hold, path, is_held, let_go)
    process.start()
    assert is_held.wait(TIMEOUT_S)
    yield
    let_go.set()
    process.join()
    process.close()


@pytest.mark.parametrize("name", ["inbox.db-hookkit-lock", "inbox.db-hookkit-lock-turnstile"])
def test_lock_that_another_process_holds_for_too_long_is_unavailable(
    sqlite_inbox, tmp_path, monkeypatch, name
):
    admit(sqlite_inbox, "m-1")
    monkeypatch.setattr(transactions, "BUSY_TIMEOUT_S", 0.05)

    with (
        held_by_another_process(tmp_path / name),
        pytest.raises(Unavailable, match="busy"),
    ):
        admit(sqlite_inbox, "m-2")

    assert admit(sqlite_inbox, "m-2")
    assert len(sqlite_inbox.find()) == 2


def test_database_that_another_program_holds_is_unavailable(sqlite_inbox, tmp_path, monkeypatch):
    admit(sqlite_inbox, "m-1")
    monkeypatch.setattr(transactions, "BUSY_TIMEOUT_S", 0.05)
    other = sqlite3.connect(tmp_path / "inbox.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(Unavailable, match="database is locked"):
        sqlite_inbox._transactions._writing(0.01).__enter__()
    with pytest.raises(Unavailable, match="database is locked"):
        admit(sqlite_inbox, "m-2")

    other.execute("ROLLBACK")
    other.close()
    assert admit(sqlite_inbox, "m-2")


def test_forked_child_leaves_the_file_lock_to_its_parent(sqlite_inbox, tmp_path):
    with sqlite_inbox._transactions.write():
        process_id = os.fork()
        if process_id == 0:
            sqlite_inbox.after_fork()
            os._exit(0)
        os.waitpid(process_id, 0)

        other = FileLock(tmp_path / "inbox.db-hookkit-lock", 0o600)
        assert not other.acquire(0)

    assert other.acquire(0)
    other.release()
    other.close()


def test_lock_file_has_the_rights_of_the_database(tmp_path, sqlite_url):
    path = tmp_path / "inbox.db"
    path.touch()
    path.chmod(0o640)

    open_inbox(sqlite_url).close()

    assert (tmp_path / "inbox.db-hookkit-lock").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("hindrance", ["folder", "no fcntl"])
def test_without_a_lock_file_sqlites_own_lock_serves(tmp_path, sqlite_url, monkeypatch, hindrance):
    if hindrance == "folder":
        (tmp_path / "inbox.db-hookkit-lock-turnstile").mkdir()
    else:
        monkeypatch.setattr("hookkit.inbox.sqlite.file.IS_SUPPORTED", False)

    inbox = open_inbox(sqlite_url)

    assert inbox._transactions._file_lock is None
    assert admit(inbox, "m-1")
    inbox.close()


def test_users_own_engine_gets_no_lock_file_and_shares_commits(tmp_path, sqlite_url):
    engine = create_engine(sqlite_url)
    inbox = open_inbox(engine)

    receipts = admit_at_once(inbox, MIXED)

    assert sum(one.new_count for one in receipts) == 7
    assert not list(tmp_path.glob("*hookkit-lock*"))
    engine.dispose()


def test_new_file_of_our_own_has_large_pages_and_an_old_one_its_own(tmp_path, sqlite_inbox):
    with sqlite3.connect(tmp_path / "old.db") as old:
        old.execute("CREATE TABLE theirs (a INTEGER)")
    old.close()
    inbox = open_inbox(f"sqlite:///{tmp_path}/old.db")

    sizes = []
    for one in (sqlite_inbox, inbox):
        with one._transactions.read() as connection:
            sizes.append(connection.exec_driver_sql("PRAGMA page_size").scalar_one())

    assert sizes == [8192, 4096]
    inbox.close()


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "9p", "fuse.sshfs"])
def test_network_file_system_is_refused(tmp_path, sqlite_url, monkeypatch, kind):
    mounts = tmp_path / "mounts"
    mounts.write_text(f"disk / ext4 rw 0 0\nserver:/x {tmp_path} {kind} rw 0 0\n")
    monkeypatch.setattr(sqlite_file, "_MOUNTS", mounts)

    with pytest.raises(ConfigurationError, match=f"network file system \\({kind}\\)"):
        open_inbox(sqlite_url)


def test_mount_that_covers_is_the_longest_and_latest(tmp_path, monkeypatch):
    mounts = tmp_path / "mounts"
    mounts.write_text(
        "disk / ext4 rw 0 0\nserver:/x /srv/my\\040app nfs rw 0 0\n"
        "disk /srv/my\\040app xfs rw 0 0\nserver:/x /srv/my nfs rw 0 0\n"
    )
    monkeypatch.setattr(sqlite_file, "_MOUNTS", mounts)

    paths = ("/srv/my app/in.db", "/srv/my/in.db", "/srv/mine/in.db")
    assert [sqlite_file.mount_type(sqlite_file.Path(path)) for path in paths] == [
        "xfs",
        "nfs",
        "ext4",
    ]
    monkeypatch.setattr(sqlite_file, "_MOUNTS", tmp_path / "no such file")
    assert sqlite_file.mount_type(tmp_path) is None


@pytest.mark.parametrize(("version", "is_old"), [((3, 51, 2), True), ((3, 51, 3), False)])
def test_old_sqlite_is_a_concern_that_no_process_logs(
    sqlite_url, monkeypatch, caplog, version, is_old
):
    monkeypatch.setattr(sqlite3, "sqlite_version_info", version)

    open_inbox(sqlite_url).close()

    assert (sqlite_file.concern_about_version() is not None) is is_old
    assert caplog.records == []


def test_connection_on_macos_is_told_to_sync_the_disk_itself(monkeypatch):
    monkeypatch.setattr(sqlite_file.sys, "platform", "darwin")
    driver = sqlite3.connect(":memory:")

    sqlite_file.set_up(driver, None)

    assert driver.execute("PRAGMA fullfsync").fetchone() == (1,)
    driver.close()


def test_writing_waits_no_longer_than_is_left(sqlite_inbox, monkeypatch):
    assert isinstance(sqlite_inbox._transactions, SqliteTransactions)
    with sqlite_inbox._transactions._writing(0.5) as connection:
        left_ms = connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one()
    with sqlite_inbox._transactions.write() as connection:
        usual_ms = connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one()

    assert left_ms <= 500 < usual_ms == 2000


def test_several_lead_at_once_where_the_database_commits_side_by_side():
    store = Store()
    store.group = GroupCommit(store.commit, timeout_s=lambda: TIMEOUT_S, max_leaders=2)
    store.may_go_on.clear()
    with ThreadPoolExecutor(5) as pool:
        answers = [pool.submit(store.group.submit, 0)]
        wait_until(lambda: store.group._leader_count == 1 and not store.group._queue)
        answers.append(pool.submit(store.group.submit, 1))
        wait_until(lambda: store.group._leader_count == 2 and not store.group._queue)
        for number in (2, 3, 4):
            answers.append(pool.submit(store.group.submit, number))
            wait_until(lambda number=number: len(store.group._queue) == number - 1)
        store.may_go_on.set()

    assert [one.result() for one in answers] == [0, 10, 20, 30, 40]
    assert [0] in store.commits
    assert [1] in store.commits
    assert sorted(chain(*store.commits)) == [0, 1, 2, 3, 4]
    assert (len(store.group._queue), store.group._leader_count) == (0, 0)


def test_leader_takes_no_other_leader_along():
    """Two lead before either has begun: each brings its own, and one of them the third."""
    batches, both_lead = [], threading.Event()

    def commit(take, *, timeout_s):
        assert both_lead.wait(TIMEOUT_S)
        batch = take()
        batches.append(list(batch))
        return batch

    group = GroupCommit(commit, timeout_s=lambda: TIMEOUT_S, max_leaders=2)
    with ThreadPoolExecutor(3) as pool:
        answers = []
        for number in range(3):
            answers.append(pool.submit(group.submit, number))
            wait_until(lambda number=number: len(group._queue) == number + 1)
        both_lead.set()

    assert [one.result() for one in answers] == [0, 1, 2]
    assert sorted(chain(*batches)) == [0, 1, 2]
    assert len(batches) == 2


def test_no_more_are_taken_than_may_be():
    store = Store()
    store.group = GroupCommit(store.commit, timeout_s=lambda: TIMEOUT_S, max_count=1)

    with store.with_queue_behind(1, 2, 3) as answers:
        pass

    assert [one.result() for one in answers] == [10, 20, 30]
    assert store.commits == [[1], [2], [3]]


@pytest.mark.parametrize("max_leaders", [2, 3])
def test_many_threads_and_leaders_give_each_its_own_answer(eager_threads, max_leaders):
    store = Store(poison=range(0, 2000, 97))
    store.group = GroupCommit(store.commit, timeout_s=lambda: TIMEOUT_S, max_leaders=max_leaders)

    def answer(number):
        try:
            return store.group.submit(number)
        except ValueError:
            return None

    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(answer, range(2000)))

    assert answers == [None if n in store.poison else n * 10 for n in range(2000)]
    assert (len(store.group._queue), store.group._leader_count) == (0, 0)
