"""Passwords that are guessed first, made from the patterns that people follow.

There is no list: walks over the keyboard, words and names in pinyin with years and digits, the
product's own words, each also with letters written as digits. What is compared is a canonical
form, in which `P@ssw0rd!2024` and `password2024` are one.
"""

import re
from collections.abc import Iterator
from functools import cache

from pypinyin import lazy_pinyin

__all__ = ["PRODUCT_WORDS", "canonical", "common_passwords", "is_common"]

_LEAST = 12
# Signs and digits that stand for letters; i, l and 1 are written for each other.
_LEET = str.maketrans("01345789@$l", "oieastbgasi")
_ROWS = ("1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm", "abcdefghijklmnopqrstuvwxyz")
_COLUMNS = ("1qaz", "2wsx", "3edc", "4rfv", "5tgb", "6yhn", "7ujm", "8ik", "9ol", "0p")
# What stands before and after a word, and between two.
_ENDS = re.compile(r"^[^a-z]+|[^a-z]+$")
_LETTERS = re.compile("[a-z]+")
# More than two signs in a row, or one here and there, are no name's.
_SIGNS = re.compile(r"[^\w\s]{3,}|(?:[^\w\s]\w{1,2}){3,}", re.ASCII)
# Telephone numbers, dates and counting, in any writing of them.
_COUNTED = re.compile(r"[\d\s零〇一二三四五六七八九十百千年月日号.:/-]+")
# Syllables of a name, letters that may stand beside it (its first ones, an office), and signs of
# the longest syllable (zhuang).
_OF_A_NAME, _BESIDE, _LONGEST_SYLLABLE = 3, 3, 6
_BETWEEN = re.compile(r"[^a-z0-9@$!]+|\d{2,}[^a-z]*")
PRODUCT_WORDS = (
    "onegrid",
    "yizhangwang",
    "wangge",
    "wanggeyuan",
    "wanggehua",
    "grid",
    "gridworker",
    "dispatch",
    "dispatcher",
    "planner",
    "diaodu",
    "shequ",
    "jiedao",
    "zhili",
    "chengguan",
)
_WORDS = (
    *PRODUCT_WORDS,
    "password",
    "passw",
    "mima",
    "admin",
    "administrator",
    "root",
    "system",
    "guanliyuan",
    "user",
    "test",
    "demo",
    "ceshi",
    "login",
    "welcome",
    "letmein",
    "iloveyou",
    "woaini",
    "woaizhongguo",
    "woaiwojia",
    "correcthorsebatterystaple",
    "zhongguo",
    "china",
    "beijing",
    "shanghai",
    "nanjing",
    "guangzhou",
    "shenzhen",
    "taiwan",
    "hello",
    "nihao",
    "monkey",
    "dragon",
    "master",
    "football",
    "sunshine",
    "princess",
    "superman",
    "qwerty",
    "asdfgh",
    "zxcvbn",
    "qazwsx",
    "abc",
    "abcd",
    "changeme",
    "default",
    "secret",
    "office",
    "bangong",
    "zhengfu",
    "fuwu",
    "zhongxin",
)
_SURNAMES_TEXT = """
wang li zhang liu chen yang zhao huang zhou wu xu sun hu zhu gao lin he guo ma luo liang
song zheng xie han tang feng yu dong xiao cheng cao yuan deng fu shen zeng peng lu su
"""
_SURNAMES = tuple(_SURNAMES_TEXT.split())
_GIVEN_TEXT = """
wei fang na min jing qiang lei jun yang yong yan jie juan tao ming chao xia ping gang
xiaoming xiaohong xiaoli xiuying guiying jianguo jianjun zhiqiang haiyan lili tingting
zixuan haoran yuxuan
"""
_GIVEN = tuple(_GIVEN_TEXT.split())
_DIGITS = (
    *("123", "1234", "12345", "123456", "1234567", "12345678", "123456789", "1234567890"),
    *("111", "1111", "111111", "000", "0000", "000000", "666", "666666", "888", "888888"),
    *("520", "521", "1314", "5201314", "123123", "321", "654321", "112233", "007", "110"),
)
_YEARS = tuple(str(year) for year in range(1960, 2031))


def canonical(password: str) -> str:
    """A password's pattern: small letters, digits and signs read as letters, the rest left out.

    Examples
    --------
    >>> canonical("P@ssw0rd-Wei!") == canonical("passwordwei")
    True
    """
    text = password.casefold().translate(_LEET)
    return "".join(sign for sign in text if sign.isalnum())


def common_passwords() -> Iterator[str]:
    """Passwords of twelve signs or more that fit a pattern; some come more than once."""
    yield from (one for one in _patterns() if len(one) >= _LEAST)


def is_common(password: str) -> bool:
    """Whether a password is a word or name with digits and signs, or walks over the keyboard.

    Examples
    --------
    >>> is_common("Zhangwei19851013"), is_common("P@ssw0rd!2024"), is_common("qwertyuiop123")
    (True, True, True)
    >>> is_common("seven boats sail")
    False
    """
    text = password.casefold()
    forms = {canonical(text), canonical(text.replace("!", "i"))}
    if any(form in _walked() or _is_poor(form) for form in forms):
        return True
    if _COUNTED.fullmatch(text):
        return True
    middle = _ENDS.sub("", text)
    if not middle:  # other scripts are no pattern of ours
        return text.isascii()
    cores = {canonical(middle), canonical(middle.replace("!", "i"))}
    parts = [canonical(part) for part in _BETWEEN.split(middle) if part]
    if cores & _cores() or all(part in _cores() for part in parts):
        return True
    return not _SIGNS.search(text) and _is_name(_LETTERS.findall(text))


def _is_name(parts: list[str]) -> bool:
    """Whether groups of letters are a name in pinyin, and no more than a few letters beside it.

    Examples
    --------
    >>> _is_name(["zhangsan"]), _is_name(["wangfang", "wf"]), _is_name(["wxm", "wxm"])
    (True, True, True)
    >>> _is_name(["seven", "boats"])
    False
    """
    counts = {part: _syllables_in(part) for part in parts}
    beside = [part for part, count in counts.items() if not count]
    is_little = not beside or (len(beside) == 1 and len(beside[0]) <= _BESIDE)
    return is_little and sum(counts[part] for part in parts) <= _OF_A_NAME


def _syllables_in(text: str) -> int:
    """In how few syllables of pinyin a text falls apart; 0 where it does not."""
    fewest = {0: 0}
    for end in range(1, len(text) + 1):
        found = [
            fewest[begin] + 1
            for begin in range(max(0, end - _LONGEST_SYLLABLE), end)
            if begin in fewest and text[begin:end] in _syllables()
        ]
        if found:
            fewest[end] = min(found)
    return fewest.get(len(text), 0)


@cache
def _syllables() -> frozenset[str]:
    """Syllables of pinyin: those of the 3,755 characters of the first level of GB/T 2312."""
    codes = (bytes((row, cell)) for row in range(0xB0, 0xD8) for cell in range(0xA1, 0xFF))
    signs = "".join(code.decode("gb2312", "ignore") for code in codes)
    return frozenset(lazy_pinyin(list(signs)))


def _patterns() -> Iterator[str]:
    tails = (*_DIGITS, *_YEARS)
    for core in _plain_cores():
        yield core
        yield from (core + tail for tail in tails)
    for word in _WORDS:
        yield from (tail + word for tail in tails)
    yield from _walks()


def _plain_cores() -> Iterator[str]:
    """Words, two of them, and names."""
    yield from _WORDS
    yield from (word + other for word in _WORDS for other in _WORDS)
    yield from (surname + given for surname in _SURNAMES for given in _GIVEN)
    yield from (given + surname for surname in _SURNAMES for given in _GIVEN)


def _walks() -> Iterator[str]:
    """Rows of keys one after the other, and columns, forwards and backwards, with digits."""
    walks = [first + second for first in _ROWS for second in ("", *_ROWS)]
    walks += ["".join(_COLUMNS[at : at + count]) for at in range(8) for count in range(2, 11)]
    for walk in walks:
        for path in (walk, walk[::-1]):
            yield from (path[:end] for end in range(8, len(path) + 1))
            yield from (path + tail for tail in (*_DIGITS, *_YEARS))
            yield from (path[:6] + tail for tail in (*_DIGITS, *_YEARS))


def _is_poor(form: str) -> bool:
    """Few different signs, or one piece again and again.

    Examples
    --------
    >>> _is_poor("abcabcabcabc"), _is_poor("correcthorse")
    (True, False)
    """
    repeated = any(
        form == (form[:size] * (len(form) // size + 1))[: len(form)]
        for size in range(1, len(form) // 2 + 1)
    )
    return len(set(form)) < 5 or repeated


@cache
def _cores() -> frozenset[str]:
    return frozenset(canonical(one) for one in (*_plain_cores(), *_SURNAMES, *_GIVEN))


@cache
def _walked() -> frozenset[str]:
    return frozenset(canonical(one) for one in _walks())
