"""The promises of coherence over real processes, while links and servers fail: each campaign in small.

``python -m tests.coherence`` runs the same ones for as long as one likes.
"""

from __future__ import annotations

import pytest

from tests.coherence import campaigns, late, losses, upsets
from tests.coherence.campaigns import Campaign, Fault, Outcome, Plan
from tests.coherence.checkers import shown

FAULTS = frozenset({Fault.DELAYS, Fault.REORDER, Fault.LATENCY, Fault.CUTS})


async def held(campaign: Campaign, plan: Plan) -> Outcome:
    """The campaign breaks no rule, and nodes answered out of their memory: else it would show nothing."""
    outcome = await campaign(plan)
    assert not outcome.violations, shown(outcome.violations)
    assert outcome.hits > 0
    return outcome


@pytest.mark.parametrize("faults", [frozenset(), FAULTS, FAULTS | {Fault.DROPS}], ids=["calm", "faults", "drops"])
async def test_a_browser_that_hops_reads_its_writes_and_never_goes_back(faults: frozenset[Fault]) -> None:
    """K-01, K-04, K-11, T-07."""
    await held(campaigns.hops, Plan(hops=700, faults=faults))


@pytest.mark.parametrize("faults", [frozenset(), FAULTS], ids=["calm", "faults"])
async def test_browsers_that_share_a_session_each_read_their_writes(faults: frozenset[Fault]) -> None:
    """K-01, K-04."""
    await held(campaigns.tabs, Plan(hops=700, faults=faults))


@pytest.mark.parametrize("faults", [frozenset(), FAULTS], ids=["calm", "faults"])
async def test_who_only_reads_on_sees_the_last_write_of_all(faults: frozenset[Fault]) -> None:
    """C-2, C-3, S-60, fact 4."""
    await held(campaigns.quiet, Plan(hops=2000, faults=faults))


async def test_tabs_whose_watermark_goes_back_are_behind_no_longer_than_the_lease() -> None:
    """C-4, C-11."""
    await held(campaigns.regressed, Plan(hops=700, faults=FAULTS))


async def test_a_logout_is_over_everywhere_within_a_second() -> None:
    """K-08, S-60."""
    await held(campaigns.logout, Plan(hops=700))


async def test_a_logout_is_over_within_the_lease_when_pushes_are_lost() -> None:
    """K-08, S-60, F-13."""
    await held(campaigns.logout, Plan(hops=600, faults=frozenset({Fault.DROPS})))


@pytest.mark.parametrize("faults", [frozenset(), frozenset({Fault.DROPS})], ids=["calm", "drops"])
async def test_a_logout_with_a_barrier_is_over_everywhere_at_once(faults: frozenset[Fault]) -> None:
    """K-08, C-15, T-05."""
    await held(campaigns.barrier, Plan(hops=600, faults=faults))


async def test_slow_writers_bring_no_session_back() -> None:
    """K-08, S-62."""
    outcome = await held(campaigns.slow_writers, Plan(hops=700))
    assert any(event.status == 409 for event in outcome.history)


async def test_sessions_end_at_their_deadlines_neither_before_nor_after() -> None:
    """K-09."""
    outcome = await held(campaigns.deadlines, Plan(hops=700))
    assert any(event.presented is not None and event.loaded is None for event in outcome.history)


async def test_what_is_held_back_beyond_its_deadline_undoes_nothing_and_costs_no_session() -> None:
    """C-20, C-23, K-01, K-03."""
    outcome = await held(late.late, Plan(hops=240))
    assert outcome.branches["unknown_outcomes"]


async def test_what_a_split_network_holds_back_undoes_nothing_when_it_is_healed() -> None:
    """C-20. The network is a namespace of its own where the machine allows one, else the proxy."""
    outcome = await held(losses.partitions, Plan(hops=100))
    assert outcome.branches["unknown_outcomes"]


async def test_a_store_that_stands_still_while_ids_change_costs_no_session() -> None:
    """C-20, C-23."""
    outcome = await held(late.pauses, Plan(hops=400))
    assert outcome.branches["unknown_outcomes"]


async def test_pushes_that_are_lost_for_a_moment_leave_no_stale_copy() -> None:
    """C-22."""
    outcome = await held(late.lapses, Plan(hops=2000))
    assert outcome.branches["lost: pushes_lost"]


async def test_a_logout_waits_for_all_workers_that_one_process_has_forked() -> None:
    """C-15, C-21."""
    await held(late.forked, Plan(hops=800))


async def test_a_logout_waits_for_a_node_that_receives_nothing_no_longer_than_its_lease() -> None:
    """C-26."""
    await held(late.deaf, Plan())


@pytest.mark.parametrize("way", ["flush", "swap", "restart"])
async def test_a_store_that_has_lost_everything_is_noticed_and_new_processes_agree_with_the_old(way: str) -> None:
    """C-25, K-08."""
    outcome = await held(losses.emptied, Plan(seed=losses.WAYS.index(way)))
    assert outcome.branches[f"emptied by {way}"]


async def test_a_logout_everywhere_that_is_cut_short_is_finished_by_another_process() -> None:
    """K-08, T-13."""
    outcome = await losses.killed(Plan(hops=1000))
    assert not outcome.violations, shown(outcome.violations)


async def test_no_late_request_replaces_a_login_in_its_browser() -> None:
    """C-24."""
    outcome = await held(losses.logins, Plan(hops=200))
    assert outcome.branches["late_ids"]


@pytest.mark.parametrize("upset", ["pause slow", "kill pushes", "partition silence", "late", "flush swap restart"])
async def test_nothing_older_than_the_lease_is_shown_whatever_happens(upset: str) -> None:
    """C-1, C-4, C-5, F-13. Before each upset every node serves from memory, and after the last one again."""
    outcome = await upsets.upset(Plan(), *upset.split(), "nothing")
    assert not outcome.violations, shown(outcome.violations)


async def test_nothing_older_than_the_lease_is_shown_by_who_stays_with_a_demoted_primary() -> None:
    """C-4, C-5, fact 12."""
    await held(upsets.failover, Plan())
