"""Forms in which a name is compared: as written, without its generic word, as it sounds."""

import re
import unicodedata
from functools import lru_cache

from pypinyin import lazy_pinyin

from gis.address.normalize import is_chinese

__all__ = ["key_of", "short_of", "sound_of", "spellings_of"]

# Generic words at the end of names, longest first: 春晖花园 is 春晖 to those who live there.
_GENERIC = re.compile(
    r"(?:街道办事处|自治区|街道|社区|小区|花园|花苑|家园|新村|新苑|雅苑|佳苑|佳园|名苑|公寓|广场|大厦"
    r"|大道|大街|胡同|村委会|居委会|[省市区县镇乡村街路巷弄里苑园庭])$"
)
_SEPARATE = re.compile(r"[-'’`.,/ ]+")
_FOLDED = str.maketrans("ħłøđı", "hlodi")
# Sounds that speakers and typists mix up.
_MIXED = ((re.compile(r"^([zcs])h"), r"\1"), (re.compile(r"ng$"), "n"))


def key_of(name: str) -> str:
    """A normalized name as it is compared: without accents and the signs between its words.

    Examples
    --------
    >>> key_of("triq iż-żabbar"), key_of("春晖街")
    ('triq iz zabbar', '春晖街')
    """
    if is_chinese(name):
        return name.upper()
    split = unicodedata.normalize("NFKD", name.casefold())
    bare = "".join(one for one in split if not unicodedata.combining(one)).translate(_FOLDED)
    return _SEPARATE.sub(" ", bare).strip()


def short_of(name: str) -> str:
    """A Chinese name without its generic word; empty where too little is left.

    Examples
    --------
    >>> short_of("春晖花园"), short_of("东路"), short_of("mosta")
    ('春晖', '', '')
    """
    bare = _GENERIC.sub("", name) if is_chinese(name) else ""
    return bare if len(bare) > 1 and bare != name else ""


@lru_cache(maxsize=65_536)
def sound_of(name: str) -> str:
    """How a Chinese name sounds: Pinyin without tones, sounds that are mixed up made alike.

    Examples
    --------
    >>> sound_of("春晖街"), sound_of("村辉阶") == sound_of("春晖街")
    ('cun hui jie', True)
    """
    syllables = lazy_pinyin(name)
    for pattern, plain in _MIXED:
        syllables = [pattern.sub(plain, one) for one in syllables]
    return " ".join(syllables)


def spellings_of(name: str) -> tuple[str, str]:
    """A Chinese name in Pinyin, whole and by first letters, as people type it to find it.

    Examples
    --------
    >>> spellings_of("春晖街")
    ('chunhuijie', 'chj')
    """
    syllables = lazy_pinyin(name)
    return "".join(syllables), "".join(one[0] for one in syllables)
