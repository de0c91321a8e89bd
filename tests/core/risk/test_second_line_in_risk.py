"""A second line in the risk report: what its first sale costs, from the inputs alone."""

from __future__ import annotations

from dataclasses import replace

from core_builders import BLOCK, holding, position

from keeper.core.lending.position import SecondLine
from keeper.core.lending.second_line import first_loss, is_at_work, standing
from keeper.core.risk.inputs import document_of, inputs_of
from keeper.core.risk.report import report
from keeper.core.units import WAD, Address, Usd, Wad

CONTRACT = Address("0x" + "5e" * 20)


def a_line(begins: str = "1.075", *, is_let: bool = True) -> SecondLine:
    at = Wad(int(float(begins) * 1000) * WAD // 1000)
    return SecondLine(CONTRACT, at, (Wad(WAD // 5), Wad(WAD // 2)), (Wad(WAD // 100), Wad(WAD // 25)), is_let=is_let)


OF = position(holding("WETH", 10), holding("USDC", 0, 14_000))


def test_a_fifth_of_the_debt_for_a_hundredth_of_it() -> None:
    """Rounded up: it is the owner's cost."""
    assert first_loss(a_line(), Usd(14_000 * 10**8)) == 28 * 10**8
    assert first_loss(a_line(), Usd(1)) == 1


def test_only_what_the_owner_let_act_stands_and_the_first_to_act_counts() -> None:
    """Of several, that which begins highest."""
    assert standing(replace(OF, second_lines=(a_line(is_let=False),))) is None
    both = a_line("1.05"), a_line("1.10")
    assert standing(replace(OF, second_lines=both)) == both[1]


def test_it_is_at_work_between_its_beginning_and_liquidation() -> None:
    """Below 1 the liquidators are."""
    lines = (a_line("1.075"),)
    for health, is_so in (("1.10", False), ("1.07", True), ("1.0", True), ("0.99", False)):
        figures = replace(OF.reported, health_factor=Wad(int(float(health) * 1000) * WAD // 1000))
        assert is_at_work(replace(OF, second_lines=lines, reported=figures)) is is_so, health


def test_the_report_says_what_its_first_sale_costs_and_is_recomputed_from_its_inputs() -> None:
    """And says nothing of it where there is none, or none was let."""
    for lines, is_there in (((a_line(),), True), ((a_line(is_let=False),), False), ((), False)):
        of = replace(OF, second_lines=lines)
        document = document_of(BLOCK, [of], {}, {}, [86_400], 10, 1)
        assert inputs_of(document).positions[0].second_lines == lines
        (told,) = report(document)["positions"]
        assert (told["second_line"] is not None) is is_there
        if is_there:
            assert abs(int(told["second_line"]["taken_usd"]) - 28 * 10**8) <= 2
            assert told["second_line"]["begins_at_health"] == str(1_075 * 10**15)
