"""The fields of crontab(5)."""

from __future__ import annotations

import pytest

from flash.data.crontab import NICKNAMES, Days, crontab_of
from flash.exceptions import ConfigurationError

MON, TUE, WED, THU, FRI, SAT, SUN = range(7)


@pytest.mark.parametrize(
    ("written", "minutes"),
    [
        ("*", set(range(60))),
        ("5", {5}),
        ("05", {5}),
        ("1,3,5", {1, 3, 5}),
        ("10-13", {10, 11, 12, 13}),
        ("*/20", {0, 20, 40}),
        ("*/7", {0, 7, 14, 21, 28, 35, 42, 49, 56}),
        ("10-20/5", {10, 15, 20}),
        ("1,10-12,*/30", {0, 1, 10, 11, 12, 30}),
        ("59-59", {59}),
    ],
)
def test_a_field_is_read(written: str, minutes: set[int]) -> None:
    assert crontab_of(f"{written} * * * *").minutes == minutes


@pytest.mark.parametrize(
    ("written", "weekdays"),
    [
        ("0", {SUN}),
        ("7", {SUN}),
        ("1", {MON}),
        ("sun", {SUN}),
        ("mon-fri", {MON, TUE, WED, THU, FRI}),
        ("1-5", {MON, TUE, WED, THU, FRI}),
        ("0-2", {SUN, MON, TUE}),
        ("5-7", {FRI, SAT, SUN}),
        ("fri-sun", {FRI, SAT, SUN}),
        ("sun-tue", {SUN, MON, TUE}),
        ("0,7", {SUN}),
        ("0-7", {MON, TUE, WED, THU, FRI, SAT, SUN}),
        ("sat,SUN", {SAT, SUN}),
        ("1-5/2", {MON, WED, FRI}),
        ("*/2", {SUN, TUE, THU, SAT}),
        ("*/7", {SUN}),
    ],
)
def test_sunday_is_0_and_7_as_in_crontab(written: str, weekdays: set[int]) -> None:
    (days,) = crontab_of(f"0 0 * * {written}").days
    assert days.weekdays == weekdays


@pytest.mark.parametrize(
    ("written", "months"),
    [("jan", {1}), ("Jan-Mar", {1, 2, 3}), ("dec,6", {6, 12}), ("*/6", {1, 7}), ("1-12/3", {1, 4, 7, 10})],
)
def test_months_have_names(written: str, months: set[int]) -> None:
    (days,) = crontab_of(f"0 0 * {written} *").days
    assert days.months == months


def test_l_is_the_last_day_of_the_month() -> None:
    assert crontab_of("0 0 L * *").days == (Days(days=frozenset(), last=True),)
    assert crontab_of("0 0 15,l * *").days == (Days(days=frozenset([15]), last=True),)


def test_a_day_and_a_weekday_are_alternatives() -> None:
    march = frozenset([3])
    assert crontab_of("0 0 13 3 fri").days == (
        Days(days=frozenset([13]), months=march),
        Days(weekdays=frozenset([FRI]), months=march),
    )


@pytest.mark.parametrize("written", ["0 0 */2 * 5", "0 0 1-31/2 * *"])
def test_a_star_makes_both_count(written: str) -> None:
    assert len(crontab_of(written).days) == 1


@pytest.mark.parametrize("nickname", NICKNAMES)
def test_nicknames(nickname: str) -> None:
    assert crontab_of(nickname.upper()) == crontab_of(NICKNAMES[nickname])


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("", "0 fields and not five"),
        ("0 9 * *", "4 fields and not five"),
        ("0 0 9 * * *", "6 fields and not five"),
        ("60 * * * *", "'60' is no minute. Write numbers from 0 to 59"),
        ("* 24 * * *", "'24' is no hour"),
        ("* * 0 * *", "'0' is no day. Write numbers from 1 to 31, L for"),
        ("* * 32 * *", "'32' is no day"),
        ("* * * 13 *", "'13' is no month. Write numbers from 1 to 12, jan to dec"),
        ("* * * * 8", "'8' is no weekday. Write numbers from 0 to 7, sun to sat"),
        ("* * * * monday", "'monday' is no weekday"),
        ("mon * * * *", "'mon' is no minute"),
        ("* * ? * *", r"'\?' is no day"),
        ("* * * * 5L", "'5l' is no weekday"),
        ("-5 * * * *", "'-5' is no minute"),
        ("1, * * * *", "'' is no minute"),
        ("*-5 * * * *", r"'\*-5' is no minute"),
        ("5/15 * * * *", "A step needs a range: write 5-59/15"),
        ("*/0 * * * *", "Write a step from 1 to 59"),
        ("* */24 * * *", "Write a step from 1 to 23"),
        ("* 22-2 * * *", "A range goes upward: write 22-23,0-2"),
        ("* * * nov-feb *", "A range goes upward: write 11-12,1-2"),
        ("* * * * sat-mon", "A range goes upward: write 6,0-1"),
        ("@reboot", "on_start=True"),
        ("@fortnightly", "write one of @hourly, @daily"),
    ],
)
def test_what_is_no_crontab_says_what_to_write(written: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        crontab_of(written)
