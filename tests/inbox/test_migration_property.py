"""A whole migration, over random lives: each fact that is promised is handled exactly once.

A life delivers random facts in one version, in the other, or in both, once or more, in any
order and with any delay, and switches there, perhaps back, at random moments. Whether a fact is
promised is told from the text of the guarantee, and shares no code with hookkit. A near fact is
not lost near a switch, and handled once for each version at most.
"""

from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hookkit.core.entry import Filter, State
from hookkit.core.modes import Change, Mode, modes_after, switch_changes
from hookkit.inbox.opening import open_inbox
from tests.inbox.making import after, attempt, deliver, done, item, payload
from tests.scale import times

DECLARED = {"v1.1": Mode.LIVE, "v2": Mode.SHADOW}
END = 10_000

lives = count(1)
some_times = st.integers(0, 600)
some_deliveries = st.lists(
    st.tuples(
        some_times,
        st.sampled_from(["v1.1", "v2"]),
        st.lists(
            st.sampled_from(["a", "b", "c", "d", "near-1", "near-2", "typing"]),
            min_size=1,
            max_size=3,
        ),
    ),
    min_size=1,
    max_size=14,
)
some_switches = st.lists(some_times, max_size=3, unique=True)
some_sweeps = st.lists(some_times, max_size=3)
some_restarts = st.lists(some_times, max_size=2)
some_windows = st.sampled_from([1, 40, 200, 2000])


@pytest.fixture
def life_of(inbox, request):
    """Return a function that lives one life, on an inbox that may be opened anew."""
    url = request.node.callspec.params["inbox"]
    names = {"sqlite": "sqlite_url", "postgresql": "postgres_url"}
    opened = [inbox]

    def restart():
        opened[-1].close()
        opened.append(open_inbox(request.getfixturevalue(names[url])))

    yield lambda *told: Life(opened, restart).live(*told)
    for one in opened[1:]:
        one.close()


class Life:
    """What was delivered, switched and run at one endpoint."""

    def __init__(self, opened, restart):
        self.opened, self.restart = opened, restart
        self.name = f"support-{next(lives)}"
        self.live_version, self.switches, self.seen, self.ran = "v1.1", [], {}, []

    @property
    def inbox(self):
        return self.opened[-1]

    def live(self, deliveries, switches, sweeps, restarts, window_s):
        steps = [(at, 1, lambda at=at, v=v, f=f: self.deliver(at, v, f)) for at, v, f in deliveries]
        steps += [(at, 0, lambda at=at: self.switch(at, window_s)) for at in switches]
        steps += [(at, 2, lambda at=at: self.sweep(at, window_s)) for at in sweeps]
        steps += [(at, 3, self.restart) for at in restarts]
        for at, _, step in sorted(steps, key=lambda each: each[:2]):
            step()
            if at % 3 == 0:
                self.run(at)
        self.sweep(END, window_s)
        self.run(END)
        self.check(window_s)

    def deliver(self, at, version, facts):
        of = payload(self.name, after(at), version=version)
        items = [item(f"{version}:{fact}", of=of, **named(fact)) for fact in facts]
        self.inbox.admit(deliver(*items, endpoint=self.name, received_at=after(at), modes=DECLARED))
        for fact in facts:
            # A redelivery is no further chance: its event id is there already.
            self.seen.setdefault((version, fact), (at, version == self.live_version))

    def switch(self, at, window_s):
        target = "v2" if self.live_version == "v1.1" else "v1.1"
        log = [Change(*one[:3]) for one in self.inbox.switches.log(self.name)]
        changes = switch_changes(target, modes_after(DECLARED, log), {})
        self.inbox.switches.change(self.name, changes, who="ada", now=after(at), window_s=window_s)
        self.live_version = target
        self.switches.append(at)

    def sweep(self, at, window_s):
        self.inbox.switches.promote_orphans(now=after(at), window_s=window_s)

    def run(self, at):
        how = {"now": after(at), "lease_s": 60, "limit": 100, "endpoints": [self.name]}
        for entry in self.inbox.claim(**how):
            assert self.inbox.settle(entry, done(attempt()), now=after(at))
            self.ran.append(entry.event_id)

    def check(self, window_s):
        assert len(set(self.ran)) == len(self.ran)
        handled = [event_id.partition(":")[2] for event_id in self.ran]
        for fact in "abcd":
            told = fact, self.sightings(fact), self.switches
            assert handled.count(fact) == int(self.is_promised(fact, window_s)), told
        for fact in ("near-1", "near-2"):
            sightings = self.sightings(fact)
            told = fact, sightings, self.switches
            # Never lost, and handled for each version at most, each that was live in any case.
            least = max(self.is_promised(fact, window_s), sum(live for _, live in sightings))
            most = len(sightings) if self.is_promised(fact, window_s) else 0
            assert least <= handled.count(fact) <= most, told
        assert handled.count("typing") == sum(live for _, live in self.sightings("typing"))
        stands = self.inbox.find(Filter(endpoint=self.name), limit=1000)
        assert {one.state for one in stands} <= {State.DONE, State.SHADOW, State.TWIN}
        assert len(stands) == len(self.seen)

    def sightings(self, fact):
        return [self.seen[key] for key in self.seen if key[1] == fact]

    def is_promised(self, fact, window_s):
        return any(
            was_live or any(abs(at - switched) <= window_s for switched in self.switches)
            for at, was_live in self.sightings(fact)
        )


def named(fact):
    if fact == "typing":
        return {}
    return {"near": fact} if fact.startswith("near") else {"fact": fact}


def test_every_promised_fact_is_handled_once(life_of, request):
    # By what a life costs on each; 200 in all, and 100,000 with HOOKKIT_TEST_SCALE=500.
    lives_of = {"sqlite": times(40, 100), "postgresql": times(15, 30)}
    examples = lives_of[request.node.callspec.params["inbox"]]

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    @given(some_deliveries, some_switches, some_sweeps, some_restarts, some_windows)
    def migrate(deliveries, switches, sweeps, restarts, window_s):
        life_of(deliveries, switches, sweeps, restarts, window_s)

    migrate()
