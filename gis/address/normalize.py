"""Address text as it is compared: one width, one script for numbers, nothing invisible."""

import re
import unicodedata

__all__ = ["LONGEST", "is_chinese", "normalize", "number_of"]

# Longer than any address; what is longer is cut before anything looks at it.
LONGEST = 200
_DIGITS = {one: value for value, one in enumerate("零一二三四五六七八九")} | {
    "〇": 0,
    "两": 2,
    "壹": 1,
    "贰": 2,
    "叁": 3,
}
_TENS = {"十": 10, "拾": 10, "百": 100, "千": 1000}
_NUMERAL = "".join([*_DIGITS, *_TENS])
# Before these a numeral counts; 三元路, 五里村 and 十字街 are names.
_COUNTED = "号楼|号院|号|幢|栋|座|单元|楼|层|室|户|弄|组|米|公里"
_COUNT = re.compile(f"(?<![{_NUMERAL}])([{_NUMERAL}]{{1,7}})(?={_COUNTED})")
# Characters that name parts, in the script of Taiwan and in that of the mainland.
_SIMPLE = str.maketrans("號樓棟單縣區鄉鎮層臺園莊橋東門場", "号楼栋单县区乡镇层台园庄桥东门场")
_BLANK = re.compile(r"[\s,,、。.;;::!!??\"'“”‘’()()\[\]【】<>《》|/\\_~`^*=+@$%&]+")


def normalize(text: str) -> str:
    """Text as it is compared.

    Full width becomes half width, numerals that count become digits, signs between parts go, as
    does all that cannot be seen (controls, zero-width and direction marks).

    Parameters
    ----------
    text : str
        As typed; beyond `LONGEST` characters it is not read.

    Examples
    --------
    >>> normalize("春水市　三号楼二单元３０１室")
    '春水市3号楼2单元301室'
    >>> normalize("三元路二十一号")
    '三元路21号'
    """
    plain = unicodedata.normalize("NFKC", text[: 4 * LONGEST])
    seen = "".join(one for one in plain if unicodedata.category(one)[0] != "C" or one in "\t\n")
    bare = _BLANK.sub("", seen.translate(_SIMPLE)) if is_chinese(seen) else _spaced(seen)
    return _COUNT.sub(lambda found: str(number_of(found[1])), bare)[:LONGEST]


def number_of(numeral: str) -> int:
    """What a Chinese numeral counts; digits one after the other are read as such.

    Examples
    --------
    >>> number_of("二十一"), number_of("一百零三"), number_of("三〇一"), number_of("十")
    (21, 103, 301, 10)
    """
    if not any(one in _TENS for one in numeral):
        return int("".join(str(_DIGITS[one]) for one in numeral))
    whole, digit = 0, None
    for one in numeral:
        if one in _TENS:
            whole += (1 if digit is None else digit) * _TENS[one]
            digit = None
        else:
            digit = _DIGITS[one] or None
    return whole + (digit or 0)


def is_chinese(text: str) -> bool:
    """Whether any character of a text is Chinese."""
    return any("\u4e00" <= one <= "\u9fff" for one in text)


def _spaced(text: str) -> str:
    """Text of other scripts keeps its words apart."""
    return " ".join(re.sub(r"[,;]+", " ", text).casefold().split())
