"""Abbreviations and what they stand for."""

import re
from functools import lru_cache

ENGLISH = {
    "Mr.": "Mister",
    "Mrs.": "Missus",
    "Ms.": "Miss",
    "Dr.": "Doctor",
    "Prof.": "Professor",
    "Jr.": "Junior",
    "Sr.": "Senior",
    "Gen.": "General",
    "Col.": "Colonel",
    "Capt.": "Captain",
    "Lt.": "Lieutenant",
    "Sgt.": "Sergeant",
    "Rev.": "Reverend",
    "Mt.": "Mount",
    "St.": "Saint",
    "Ave.": "Avenue",
    "Blvd.": "Boulevard",
    "Inc.": "Incorporated",
    "Ltd.": "Limited",
    "Corp.": "Corporation",
    "Fig.": "Figure",
    "Vol.": "Volume",
    "Jan.": "January",
    "Feb.": "February",
    "Aug.": "August",
    "Sept.": "September",
    "Oct.": "October",
    "Nov.": "November",
    "Dec.": "December",
    "vs.": "versus",
    "etc.": "et cetera",
    "e.g.": "for example",
    "i.e.": "that is",
    "approx.": "approximately",
    "Gov.": "Governor",
    "Sen.": "Senator",
    "Hon.": "Honorable",
    "Maj.": "Major",
    "Rd.": "Road",
    "Apt.": "Apartment",
    "Dept.": "Department",
    "Univ.": "University",
    "Assn.": "Association",
    "Bros.": "Brothers",
    "Co.": "Company",
    "Mon.": "Monday",
    "Tue.": "Tuesday",
    "Wed.": "Wednesday",
    "Thu.": "Thursday",
    "Fri.": "Friday",
    "et al.": "and others",
    "cf.": "compare",
    "c.": "circa",
    "Ph.D.": "P H D",
    "a.m.": "A M",
    "p.m.": "P M",
}
GERMAN = {
    "Dr.": "Doktor",
    "Prof.": "Professor",
    "Hr.": "Herr",
    "Hrn.": "Herrn",
    "Fr.": "Frau",
    "St.": "Sankt",
    "Str.": "Straße",
    "Nr.": "Nummer",
    "Bd.": "Band",
    "Abb.": "Abbildung",
    "Jh.": "Jahrhundert",
    "Mio.": "Millionen",
    "Mrd.": "Milliarden",
    "Std.": "Stunden",
    "Tel.": "Telefon",
    "Jan.": "Januar",
    "Feb.": "Februar",
    "Aug.": "August",
    "Sept.": "September",
    "Okt.": "Oktober",
    "Nov.": "November",
    "Dez.": "Dezember",
    "v.Chr.": "vor Christus",
    "n.Chr.": "nach Christus",
    "z.B.": "zum Beispiel",
    "d.h.": "das heißt",
    "u.a.": "unter anderem",
    "o.ä.": "oder Ähnliches",
    "usw.": "und so weiter",
    "etc.": "et cetera",
    "bzw.": "beziehungsweise",
    "ca.": "circa",
    "evtl.": "eventuell",
    "ggf.": "gegebenenfalls",
    "inkl.": "inklusive",
    "max.": "maximal",
    "sog.": "sogenannte",
    "vgl.": "vergleiche",
    "Dipl.-Ing.": "Diplomingenieur",
    "Ing.": "Ingenieur",
    "Mag.": "Magister",
    "Fam.": "Familie",
    "Hbf.": "Hauptbahnhof",
    "Tsd.": "Tausend",
    "Kap.": "Kapitel",
    "Art.": "Artikel",
    "Abs.": "Absatz",
    "Anm.": "Anmerkung",
    "geb.": "geboren",
    "gest.": "gestorben",
    "zzgl.": "zuzüglich",
    "einschl.": "einschließlich",
    "exkl.": "exklusive",
    "mind.": "mindestens",
    "tgl.": "täglich",
    "jährl.": "jährlich",
    "i.d.R.": "in der Regel",
    "u.U.": "unter Umständen",
    "v.a.": "vor allem",
    "u.v.m.": "und vieles mehr",
    "z.T.": "zum Teil",
    "s.o.": "siehe oben",
    "s.u.": "siehe unten",
    "o.g.": "oben genannte",
    "m.E.": "meines Erachtens",
    "e.V.": "eingetragener Verein",
    "Mo.": "Montag",
    "Di.": "Dienstag",
    "Mi.": "Mittwoch",
    "Do.": "Donnerstag",
    "Sa.": "Samstag",
}
ABBREVIATIONS = {"en": ENGLISH, "de": GERMAN}
# Titles that many writers leave without a full stop.
GERMAN_NOUNS = frozenset({"Nummer", "Nummern", "Seite", "Band", "Telefon", "Doktor", "Professor"})
UNDOTTED = {"en": ("Mr", "Mrs", "Dr", "Prof"), "de": ("Dr", "Prof")}


# Abbreviations of what is counted, which are words elsewhere: read so only before a number.
COUNTED = {
    "en": {"no": "number", "nos": "numbers", "p": "page", "pp": "pages", "vol": "volume", "ch": "chapter",
           "fig": "figure", "sec": "section", "tel": "telephone", "ext": "extension"},
    "de": {"nr": "Nummer", "nrn": "Nummern", "s": "Seite", "bd": "Band", "tel": "Telefon"},
}  # fmt: skip
# Abbreviations that often end a sentence: their full stop stays before a capital letter.
ENDING = frozenset("etc. a.m. p.m. Inc. Ltd. Corp. Co. Jr. Sr. Ave. Blvd. Rd. et al. usw. u.v.m. u.a. e.V.".split())
INITIALS = re.compile(r"(?<![\w.])((?:[A-Z]\.){2,})(?!\w)")  # U.S., U.K., D.C.


def spell_abbreviations(text: str, language: str) -> str:
    """Replace known abbreviations of "en" or "de" by their words; a full stop that ends a sentence stays."""
    stopped = text.rstrip().endswith(".")
    text = _counted(language).sub(lambda match: _as_written(match[1], COUNTED[language][match[1].lower()]), text)
    if language == "en":
        text = re.sub(r"\bSt\.(?!\s+[A-Z])", "Street", text)
    meanings = ABBREVIATIONS[language]
    text = _pattern(language).sub(lambda match: _meaning(match, meanings), text)
    text = INITIALS.sub(lambda match: " ".join(match[1].replace(".", "")), text)
    return text.rstrip() + "." if stopped and not text.rstrip().endswith(".") else text


@lru_cache
def _counted(language: str) -> re.Pattern:
    return re.compile(rf"(?<![\w.])({'|'.join(COUNTED[language])})\.(?=\s?\d)", re.IGNORECASE)


@lru_cache
def _pattern(language: str) -> re.Pattern:
    dotted = sorted(ABBREVIATIONS[language], key=len, reverse=True)
    # Inner full stops may be followed by a space: "z. B."
    forms = [r"\.\s?".join(map(re.escape, form.rstrip(".").split("."))) + r"\." for form in dotted]
    bare = "|".join(UNDOTTED[language])
    return re.compile(rf"(?<![\w.])(?:{'|'.join(forms)}|(?i:{bare})(?=\s)(?!\s*$))")


def _meaning(match: re.Match, meanings: dict[str, str]) -> str:
    written = re.sub(r"(?<=\.)\s", "", match[0])
    ends = written in ENDING and re.match(r"\s+[\"'(]?[A-ZÄÖÜ]", match.string[match.end() :])
    if written in meanings:
        return meanings[written] + ("." if ends else "")
    return _as_written(written, meanings[written.rstrip(".").capitalize() + "."])


def _as_written(form: str, words: str) -> str:
    """Words with a small letter where the abbreviation has one, except German nouns, which keep theirs."""
    return words[0].upper() + words[1:] if form[0].isupper() else words if words in GERMAN_NOUNS else words.lower()
