"""What a typed address says, read with the names that a county knows."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rapidfuzz import process
from rapidfuzz.distance import OSA

from gis.address.entry import named_pieces
from gis.address.forms import key_of, short_of
from gis.address.normalize import is_chinese, normalize
from gis.address.numbers import Numbers, numbers_in, plain_numbers
from gis.address.table import AddressTable, Name

__all__ = ["Reading", "Said", "alike", "read"]

# What makes a place another one than the address that is named.
_BESIDE = re.compile(
    r"(?:斜?对面|隔壁|附近|旁边?|交叉口?|交汇处?|[东西南北前后左右]{1,2}[侧面边]|以[东西南北])"
    r"|[东西南北前后]?[侧面边]?约?[0-9]+多?(?:米|公里)处?|^(?:路?口|[与和跟及])$"
)
_COURTESY = re.compile(r"^(?:你好|请问)?(?:我家|我)?(?:住在|家在|位于|在|地址是?)")
# In names these decide: 滨江南街 is not 滨江北街 mistyped, nor 二 三.
_DECIDES = frozenset("东西南北中上下前后左右内外新老大小一二三四五六七八九十0123456789")
_MOST_NAMES, _MOST_UNKNOWN, _MOST_SAID = 5, 6, 9
# Twice as long as an address with all its levels.
_LONGEST_READ = 100
# How far a name is trusted that was mistyped, and one that may be another name.
_MISTYPED, _CHANGED = 0.8, 0.5


_NUMBERS = re.compile(r"^[0-9]+[a-z]?(?:[/;-][0-9]+[a-z]?)*$")
# A piece of text, and the known name that it is.
_Piece = tuple[str, Name | None]


@dataclass(frozen=True, slots=True)
class Said:
    """A name in a typed address: what was written, and what it may stand for.

    Attributes
    ----------
    text : str
    form : str
        The form of a known name that it was taken for.
    name : Name
    quality : float
        1 for a name as written; below 0.9 it was not written so.
    """

    text: str
    form: str
    name: Name
    quality: float


@dataclass(frozen=True, slots=True)
class Reading:
    """A typed address as far as it is understood.

    Attributes
    ----------
    said : tuple of tuple of Said
        For each name in it what it may be, the likeliest first.
    numbers : Numbers
    unexplained : tuple of str
        What is neither a known name, nor like one, nor a number.
    beside : bool
        Whether it names a place beside the address: 对面, 东600米.
    """

    said: tuple[tuple[Said, ...], ...]
    numbers: Numbers
    unexplained: tuple[str, ...] = ()
    beside: bool = False


def read(table: AddressTable, text: str) -> Reading:
    """Read a typed address.

    Notes
    -----
    Known names are found in its text itself, so that the parts as they are told apart fit those
    that are known; the model is asked only for what is not known, which is then compared by
    sound (Pinyin) and by spelling (optimal string alignment distance).
    """
    plain = normalize(text)
    if not is_chinese(plain):
        return _plain(table, text)
    whole = _COURTESY.sub("", plain.upper())
    plain = whole[:_LONGEST_READ]
    unexplained = [whole[_LONGEST_READ:]] if len(whole) > _LONGEST_READ else []
    numbers, rest = numbers_in(plain)
    found: list[tuple[Said, ...]] = []
    parts = [_known_parts(table, part, "") for part in rest]
    bare = [_without_relation(one) for one in parts]
    for pieces in _told_apart(plain, bare):
        said, unknown = _explained(table, pieces, "")
        found += said
        unexplained += unknown
    return _kept(found, numbers, unexplained, beside=bare != parts)


def _kept(
    said: list[tuple[Said, ...]], numbers: Numbers, unexplained: list[str], *, beside: bool = False
) -> Reading:
    """No address has more names than it has levels: those beyond explain nothing."""
    more = [choices[0].text for choices in said[_MOST_SAID:]]
    return Reading(tuple(said[:_MOST_SAID]), numbers, (*unexplained, *more), beside)


def _without_relation(parts: list[_Piece]) -> list[_Piece]:
    """Leave out what says that a place beside the address is meant."""
    bare = [(piece if name is not None else _BESIDE.sub("", piece), name) for piece, name in parts]
    return [one for one in bare if one[0]]


def _told_apart(plain: str, parts: list[list[_Piece]]) -> list[list[_Piece]]:
    """Let the model divide what no known name explains; it reads the text once."""
    unknown = tuple(piece for one in parts for piece, name in one if name is None)
    divided = iter(named_pieces(plain, unknown) if unknown else ())
    made: list[list[_Piece]] = []
    for one in parts:
        pieces: list[_Piece] = []
        for piece, name in one:
            if name is not None:
                pieces.append((piece, name))
                continue
            rest = len(piece)
            while rest > 0:
                part = next(divided).text
                pieces.append((part, None))
                rest -= len(part)
        made.append(pieces)
    return made


def _plain(table: AddressTable, text: str) -> Reading:
    words: list[str] = []
    for word in normalize(text).split():
        words += [word] if _NUMBERS.match(word) else key_of(word).split()
    numbers = Numbers()
    rest: list[_Piece] = []
    for piece, name in _known_parts(table, words, " "):
        if name is None:
            held, left = plain_numbers(piece.split())
            numbers = numbers.filled(held)
            rest += [(" ".join(left), None)] if left else []
        else:
            rest.append((piece, name))
    said, unexplained = _explained(table, rest, " ")
    return _kept(said, numbers, unexplained)


def _explained(
    table: AddressTable, pieces: list[_Piece], joint: str
) -> tuple[list[tuple[Said, ...]], list[str]]:
    """Take what is not known for the likest name, alone or with the pieces beside it."""
    said: list[tuple[Said, ...]] = []
    unexplained: list[str] = []
    pieces = list(pieces)
    compared = 0
    while (unknown := _first_unknown(pieces)) is not None:
        compared += 1
        # An address has few names: text that is none is not compared with all that are known.
        if compared > _MOST_UNKNOWN:
            unexplained.append(pieces.pop(unknown)[0])
            continue
        for begin, end in _spans(pieces, unknown):
            like = alike(table, joint.join(piece for piece, _ in pieces[begin:end]))
            if like:
                said.append(like)
                del pieces[begin:end]
                break
        else:
            unexplained.append(pieces.pop(unknown)[0])
    said += [(Said(one, one, name, name.quality),) for one, name in pieces if name is not None]
    return said, unexplained


def _first_unknown(pieces: list[_Piece]) -> int | None:
    return next((at for at, (_, name) in enumerate(pieces) if name is None), None)


def _spans(pieces: list[_Piece], at: int) -> list[tuple[int, int]]:
    """What a piece may be mistyped together with: short forms first, names as written last."""
    near = [(begin, end) for begin in (at - 1, at) for end in (at + 1, at + 2)]
    held = [(begin, end) for begin, end in near if begin >= 0 and end <= len(pieces)]

    def strangeness(span: tuple[int, int]) -> tuple[bool, int]:
        others = [pieces[one][1] for one in range(*span) if one != at]
        whole = any(name is not None and name.quality == 1 for name in others)
        return whole, -len(others)

    return sorted(held, key=strangeness)


def _known_parts(table: AddressTable, units: Sequence[str], joint: str) -> list[_Piece]:
    """Cut text (characters, or words) so that known names explain the most of it.

    The least unexplained wins, then the fewest parts, then the best forms: quadratic in its
    length at worst, and texts are short.
    """
    count = len(units)
    best: list[tuple[float, int]] = [(0.0, 0)] * (count + 1)
    for end in range(1, count + 1):
        best[end] = (best[end - 1][0] + 10.0, end - 1)
        for begin in range(max(0, end - table.longest), end):
            name = table.known(joint.join(units[begin:end]))
            if name is not None:
                cost = best[begin][0] + 2.0 - name.quality
                if cost < best[end][0]:
                    best[end] = (cost, begin)
    cuts: list[_Piece] = []
    end = count
    while end:
        begin = best[end][1]
        piece = joint.join(units[begin:end])
        name = table.known(piece) if best[end][0] - best[begin][0] < 10.0 else None
        if name is None and cuts and cuts[-1][1] is None:
            cuts[-1] = (joint.join([piece, cuts[-1][0]]), None)
        else:
            cuts.append((piece, name))
        end = begin
    return cuts[::-1]


def alike(table: AddressTable, piece: str) -> tuple[Said, ...]:
    """Known names that a piece may be a mistyped form of, the likeliest first."""
    if len(piece) < 2:
        return ()
    if not is_chinese(piece):
        return _spelt_alike(table, piece, max(1, len(piece) // 6))
    heard = [
        Said(piece, form, name, 0.85 * name.quality)
        for form in table.sounding_as(piece)
        for name in (table.meaning(form),)
    ]
    seen = {one.form for one in heard}
    spelt = [one for one in _spelt_alike(table, piece, 1) if one.form not in seen]
    return (*heard, *spelt)


def _spelt_alike(table: AddressTable, piece: str, most: int) -> tuple[Said, ...]:
    found = process.extract(
        piece, table.forms, scorer=OSA.distance, score_cutoff=most, limit=_MOST_NAMES
    )
    made = []
    for form, distance, _ in found:
        name = table.meaning(form)
        if min(len(form), len(piece)) > 1:
            quality = _CHANGED if _changes_sense(piece, form) else _MISTYPED
            quality *= name.quality * (1 - 0.5 * distance / len(form))
            made.append(Said(piece, form, name, quality))
    return tuple(sorted(made, key=lambda one: -one.quality))


def _changes_sense(typed: str, form: str) -> bool:
    """Whether what differs may be what tells two names apart: 南 and 北, 街 and 路."""
    if not is_chinese(form):
        return False
    generic = typed[-1] != form[-1] and short_of(typed) == short_of(form) != ""
    short = min(len(typed), len(form)) < 3
    return generic or short or bool((set(typed) ^ set(form)) & _DECIDES)
