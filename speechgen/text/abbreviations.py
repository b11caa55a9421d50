"""Abbreviations and what they stand for."""

import re

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
}
ABBREVIATIONS = {"en": ENGLISH, "de": GERMAN}
# Titles that many writers leave without a full stop.
UNDOTTED = {"en": ("Mr", "Mrs", "Dr", "Prof"), "de": ("Dr", "Prof")}


def spell_abbreviations(text: str, language: str) -> str:
    """Replace known abbreviations of "en" or "de" by their words; a full stop that ends the text stays."""
    stopped = text.rstrip().endswith(".")
    if language == "en":
        text = re.sub(r"\bNo\.(?=\s?\d)", "Number", text)
        text = re.sub(r"\bSt\.(?!\s+[A-Z])", "Street", text)
    meanings = ABBREVIATIONS[language]
    text = _pattern(language).sub(lambda match: _meaning(match, meanings), text)
    return text.rstrip() + "." if stopped and not text.rstrip().endswith(".") else text


def _pattern(language: str) -> re.Pattern:
    dotted = sorted(ABBREVIATIONS[language], key=len, reverse=True)
    # Inner full stops may be followed by a space: "z. B."
    forms = [r"\.\s?".join(map(re.escape, form.rstrip(".").split("."))) + r"\." for form in dotted]
    bare = "|".join(UNDOTTED[language])
    return re.compile(rf"(?<![\w.])(?:{'|'.join(forms)}|(?i:{bare})(?=\s)(?!\s*$))")


def _meaning(match: re.Match, meanings: dict[str, str]) -> str:
    form = re.sub(r"\s", "", match[0])
    if form in meanings:
        return meanings[form]
    words = meanings[form.rstrip(".").capitalize() + "."]
    return words if form[0].isupper() else words.lower()
