import numpy as np
import shapely

from grids.checks import check_plan

ROW = [shapely.box(x, 0, x + 1, 1) for x in range(4)]
ONE = np.zeros(4, np.int64)


def rules(label: list[int], community: list[int] | None = None) -> set[str]:
    towns = ONE if community is None else np.array(community)
    return {fault.rule for fault in check_plan(ROW, towns, np.array(label))}


def test_a_good_plan_has_no_fault() -> None:
    assert rules([0, 0, 1, 1]) == set()


def test_each_broken_rule_is_found() -> None:
    assert rules([0, 1, 0, 1]) == {"contiguous"}
    assert rules([0, 0, 0, 1], [0, 0, 1, 1]) == {"one community"}
    assert rules([0, 0, 2, 2]) == {"empty"}


def test_an_overlap_is_a_fault_of_the_coverage() -> None:
    blocks = [*ROW[:3], shapely.box(2.5, 0, 4, 1)]
    assert {fault.rule for fault in check_plan(blocks, ONE, np.array([0, 0, 1, 2]))} == {"coverage"}


def test_a_fault_leads_to_a_place_in_the_grid() -> None:
    fault = check_plan(ROW, ONE, np.array([0, 1, 0, 1]))[0]
    assert shapely.intersects(shapely.union_all(ROW), fault.place)
