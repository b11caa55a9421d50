"""Money, units, percentages, temperatures, ranges, fractions, ratios and signs to words."""

import re

from speechgen.text.addresses import Rule
from speechgen.text.numbers import NUMBER, WORDS, cardinal, ordinal

SIGNS = {
    "en": {"&": "and", "+": "plus", "=": "equals", "@": "at", "§": "section", "×": "times", "÷": "divided by"},
    "de": {"&": "und", "+": "plus", "=": "gleich", "@": "at", "§": "Paragraf", "×": "mal", "÷": "geteilt durch"},
}
# Signs that say something only beside a number.
BESIDE = {
    "en": {"±": "plus or minus", "~": "about", "≈": "about", "<": "less than", ">": "more than", "≤": "at most",
           "≥": "at least", "#": "number", "№": "number"},
    "de": {"±": "plus oder minus", "~": "etwa", "≈": "etwa", "<": "weniger als", ">": "mehr als", "≤": "höchstens",
           "≥": "mindestens", "#": "Nummer", "№": "Nummer"},
}  # fmt: skip
# Sign: one, several, the hundredth part.
MONEY = {
    "en": {"$": ("dollar", "dollars", "cents"), "€": ("euro", "euros", "cents"), "£": ("pound", "pounds", "pence"),
           "¥": ("yen", "yen", "sen")},
    "de": {"$": ("Dollar", "Dollar", "Cent"), "€": ("Euro", "Euro", "Cent"), "£": ("Pfund", "Pfund", "Pence"),
           "¥": ("Yen", "Yen", "Sen")},
}  # fmt: skip
CODES = {"USD": "$", "US$": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}
CURRENCIES = {
    "en": {"dollars": "$", "dollar": "$", "euros": "€", "euro": "€"},
    "de": {"Dollar": "$", "Euro": "€", "Pfund": "£"},
}
SCALES = {
    "en": {"k": "thousand", "K": "thousand", "M": "million", "m": "million", "bn": "billion", "B": "billion"},
    "de": {},
}
SCALE_WORDS = {"en": "thousand|million|billion|trillion", "de": "Tausend|Million(?:en)?|Milliarden?|Billion(?:en)?"}
# One and several; a unit that is written the same as a word of the language is left out.
UNITS = {
    "en": {
        "mm": ("millimeter", "millimeters"), "cm": ("centimeter", "centimeters"), "m": ("meter", "meters"),
        "km": ("kilometer", "kilometers"), "ft": ("foot", "feet"), "mi": ("mile", "miles"), "yd": ("yard", "yards"),
        "m^2": ("square meter", "square meters"), "km^2": ("square kilometer", "square kilometers"),
        "cm^2": ("square centimeter", "square centimeters"), "m^3": ("cubic meter", "cubic meters"),
        "cm^3": ("cubic centimeter", "cubic centimeters"), "mg": ("milligram", "milligrams"), "g": ("gram", "grams"),
        "kg": ("kilogram", "kilograms"), "lb": ("pound", "pounds"), "lbs": ("pound", "pounds"),
        "oz": ("ounce", "ounces"), "ml": ("milliliter", "milliliters"), "l": ("liter", "liters"),
        "ms": ("millisecond", "milliseconds"), "s": ("second", "seconds"), "sec": ("second", "seconds"),
        "min": ("minute", "minutes"), "h": ("hour", "hours"), "hr": ("hour", "hours"), "hrs": ("hour", "hours"),
        "mph": ("mile per hour", "miles per hour"), "rpm": ("turn per minute", "turns per minute"),
        "Hz": ("hertz", "hertz"), "kHz": ("kilohertz", "kilohertz"), "MHz": ("megahertz", "megahertz"),
        "GHz": ("gigahertz", "gigahertz"), "dB": ("decibel", "decibels"), "W": ("watt", "watts"),
        "kW": ("kilowatt", "kilowatts"), "MW": ("megawatt", "megawatts"), "kWh": ("kilowatt hour", "kilowatt hours"),
        "V": ("volt", "volts"), "mV": ("millivolt", "millivolts"), "mA": ("milliampere", "milliamperes"),
        "kB": ("kilobyte", "kilobytes"), "KB": ("kilobyte", "kilobytes"), "MB": ("megabyte", "megabytes"),
        "GB": ("gigabyte", "gigabytes"), "TB": ("terabyte", "terabytes"), "kbit": ("kilobit", "kilobits"),
        "Mbit": ("megabit", "megabits"), "hPa": ("hectopascal", "hectopascals"),
        "kcal": ("kilocalorie", "kilocalories"), "px": ("pixel", "pixels"), "°C": ("degree Celsius", "degrees Celsius"),
        "°F": ("degree Fahrenheit", "degrees Fahrenheit"), "°": ("degree", "degrees"), "%": ("percent", "percent"),
        "‰": ("per mille", "per mille"), "¢": ("cent", "cents"),
    },
    "de": {
        "mm": ("Millimeter",), "cm": ("Zentimeter",), "m": ("Meter",), "km": ("Kilometer",),
        "m^2": ("Quadratmeter",), "km^2": ("Quadratkilometer",), "cm^2": ("Quadratzentimeter",),
        "m^3": ("Kubikmeter",), "cm^3": ("Kubikzentimeter",), "mg": ("Milligramm",), "g": ("Gramm",),
        "kg": ("Kilogramm",), "t": ("Tonne", "Tonnen"), "ml": ("Milliliter",), "l": ("Liter",),
        "ms": ("Millisekunde", "Millisekunden"), "s": ("Sekunde", "Sekunden"), "min": ("Minute", "Minuten"),
        "Min.": ("Minute", "Minuten"), "Sek.": ("Sekunde", "Sekunden"), "h": ("Stunde", "Stunden"),
        "Std.": ("Stunde", "Stunden"), "Hz": ("Hertz",), "kHz": ("Kilohertz",), "MHz": ("Megahertz",),
        "GHz": ("Gigahertz",), "dB": ("Dezibel",), "W": ("Watt",), "kW": ("Kilowatt",), "MW": ("Megawatt",),
        "kWh": ("Kilowattstunde", "Kilowattstunden"), "V": ("Volt",), "mV": ("Millivolt",), "mA": ("Milliampere",),
        "kB": ("Kilobyte",), "MB": ("Megabyte",), "GB": ("Gigabyte",), "TB": ("Terabyte",), "kbit": ("Kilobit",),
        "Mbit": ("Megabit",), "hPa": ("Hektopascal",), "kcal": ("Kilokalorie", "Kilokalorien"), "px": ("Pixel",),
        "°C": ("Grad Celsius",), "°F": ("Grad Fahrenheit",), "°": ("Grad",), "%": ("Prozent",), "‰": ("Promille",),
        "ct": ("Cent",),
    },
}  # fmt: skip
FEMININE = ("Tonne", "Sekunde", "Millisekunde", "Minute", "Stunde", "Kilowattstunde", "Kilokalorie")
PERIODS = {"en": ("day", "week", "month", "year", "person"), "de": ("Tag", "Woche", "Monat", "Jahr", "Person")}
PER = {"en": "per", "de": "pro"}
BY = {"en": "by", "de": "mal"}
LARGEST_PART = 20  # denominators up to it are read as fractions, and 100 and 1000
GERMAN_PARTS = {2: "halb", 3: "drittel", 7: "siebtel", 8: "achtel", 100: "hundertstel", 1000: "tausendstel"}
POWERS = {
    "en": {"2": "squared", "3": "cubed", "other": "to the power of"},
    "de": {"2": "hoch zwei", "3": "hoch drei", "other": "hoch"},
}
RAISED = {"²": "^2", "³": "^3"}


def rules(language: str) -> list[Rule]:
    """Patterns of quantities and signs, from the most special, and what to say."""
    words, number = WORDS[language], NUMBER[language]
    signs, codes = f"[{''.join(MONEY[language])}]", "|".join(map(re.escape, CODES))
    short = "|".join(SCALES[language]) or "(?!)"
    scale = rf"(?:\s({SCALE_WORDS[language]})\b|({short})\b)?"
    units = "|".join(sorted(map(re.escape, UNITS[language]), key=len, reverse=True))
    beside = "".join(map(re.escape, BESIDE[language]))

    def money(amount: str, sign: str, worded: str | None, shortened: str | None) -> str:
        sign = CURRENCIES[language].get(sign, sign)
        scaled = worded or SCALES[language].get(shortened or "", "")
        return _money(amount, CODES.get(sign, sign), scaled, language)

    currencies = "|".join(CURRENCIES[language])
    periods = "|".join(PERIODS[language])
    return [
        *(GERMAN_ONE if language == "de" else []),
        (
            rf"({signs}\s?(?:{number})|(?:{number})\s?{signs})\s?/\s?({units}|{periods})(?!\w)",
            lambda m: f"{m[1]} {PER[language]} {UNITS[language].get(m[2], [m[2]])[0]}",
        ),
        (rf"(?<![\w.,])({number})\s?-\s?(?=({number})\s?{signs})", lambda m: _range(m[1], m[2], words["to"], "")),
        (r"\b(\d)'(1?\d)\"(?!\w)", lambda m: f"{m[1]} {'foot' if language == 'en' else 'Fuß'} {m[2]}"),
        (r"(?<=\d)[eE](?=-?\d+\b)", lambda m: f"{SIGNS[language]['×']} 10^"),
        (
            r"(?<=[\w)])\^(?![23](?![\d.,]*\d))(-?)(?=\d)",
            lambda m: POWERS[language]["other"] + (f" {words['minus']}" if m[1] else ""),
        ),
        (rf"(?<![\w)\]])-(?={signs}?\s?\d)", lambda m: words["minus"]),
        (
            rf"({signs})({number})-{signs}?(?={number})",
            lambda m: f"{m[2]} {words['to']} {m[1]}" if _rises(m[2], m.string[m.end() :]) else m[0],
        ),
        (rf"({codes}|{signs})\s?({number}){scale}", lambda m: money(m[2], m[1], m[3], m[4])),
        (rf"({number}){scale}\s?({signs}|(?:{codes}|{currencies})\b)", lambda m: money(m[1], m[4], m[2], m[3])),
        (rf"(?<![\w.,/])({number})\s(\d+)/(\d+)(?![\w/.,]*\d)", lambda m: _mixed(m[1], m[2], m[3], language)),
        (r"(?<![\w.,/])(\d+)/(\d+)(?![\w/]|[.,]\d)", lambda m: _fraction(m[1], m[2], language)),
        (rf"(?<![\w.,])({number})-({number})(?![\w-]*\d)", lambda m: _range(m[1], m[2], words["to"])),
        (
            r"(?<![\w.,:])(\d{1,3}(?:[.,]\d)?):(\d{1,3})(?![\d:])",
            lambda m: f"{m[1]} {'to' if language == 'en' else 'zu'} {m[2]}",
        ),
        (r"(?<=\d)\s?x\s?(?=\d)", lambda m: f" {BY[language]} "),
        (r"\b(\d+)[x×](?!\w)", lambda m: f"{m[1]} {'times' if language == 'en' else 'mal'}"),
        (r"(?<=[A-Za-z])-(?=\d)|(?<=\d)-(?=\d)", lambda m: " "),
        (rf"[{beside}](?=\s?[\d$€£¥])", lambda m: BESIDE[language][m[0]]),
        (
            rf"(?<![A-Za-z])({number})\s*({units})(?:/({units}))?(?![\w^])",
            lambda m: _measure(m[1], m[2], m[3], language),
        ),
        (rf"(?<![A-Za-z])({number})({short})(?!\w)", lambda m: f"{cardinal(m[1], language)} {SCALES[language][m[2]]}"),
        (r"(?<=[\w)])\^([23])(?![\d.,]*\d)", lambda m: POWERS[language][m[1]]),
        (r"#(?=[^\W\d])", lambda m: "hashtag"),
    ]


def _german_one(m: re.Match) -> str:
    """ "1 Hund" as "ein Hund", "1 Katze" as "eine Katze"; after another noun it is a number ("Kapitel 1")."""
    before = m.string[: m.start()].split()
    if before and before[-1][:1].isupper() and before[-1][-1:].isalpha() and len(before) > 1:
        return "eins"
    return "eine" if re.match(rf" \w*(?:{FEMININE_ENDS})\b", m.string[m.end() :]) else "ein"


FEMININE_ENDS = "e|en|ung|heit|keit|schaft|ion|tät|Person"
GERMAN_ONE: list[Rule] = [
    (r"\b1 (Million|Milliarde|Billion)(?:en|n)?\b(?=\s?[^\s$€£¥]|$)", lambda m: f"eine {m[1]}"),
    (
        r"(?<![\w.,/:-])1(?= [A-ZÄÖÜ][a-zäöüß]+\b(?<!Uhr)(?<!Euro)(?<!Dollar)(?<!Pfund)(?<!Million)(?<!Milliarde))",
        _german_one,
    ),
]


def raise_powers(text: str) -> str:
    """Raised digits after a letter, a digit or a bracket as "^2", so that they are not taken for digits in a row."""
    return re.sub(r"(?<=[A-Za-z\d)])[²³]", lambda m: RAISED[m[0]], text)


def _money(amount: str, sign: str, scale: str, language: str) -> str:
    one, several, parts = MONEY[language][sign]
    decimal = "." if language == "en" else ","
    whole, _, decimals = amount.partition(decimal)
    if scale or len(decimals) not in (0, 2):
        said = cardinal(amount, language)
        if language == "de" and scale.startswith(("Million", "Milliard", "Billion")) and said == "eins":
            said = "eine"
        return " ".join(filter(None, (said, scale, several)))
    if whole == "1":
        words = f"{'one' if language == 'en' else 'ein'} {one}"
    else:
        words = f"{cardinal(whole, language)} {several}"
    if not decimals.strip("0"):
        return words
    rest = cardinal(str(int(decimals)), language)
    return f"{rest} {parts}" if whole == "0" else f"{words} {rest}"


def _measure(number: str, unit: str, per: str | None, language: str) -> str:
    forms = UNITS[language][unit]
    if number == "1":
        one = "one" if language == "en" else "eine" if forms[0] in FEMININE else "ein"
        words = f"{one} {forms[0]}"
    else:
        words = f"{cardinal(number, language)} {forms[-1]}"
    return f"{words} {PER[language]} {UNITS[language][per][0]}" if per else words


def _fraction(above: str, below: str, language: str) -> str:
    """Proper fractions of ordinary size in words; others are two numbers (24/7, 9/11)."""
    part = int(below)
    usual = 2 <= part <= LARGEST_PART or part in (100, 1000)
    if not (0 < int(above) < part and usual) or (above, below) == ("9", "11"):
        return f"{above} {below}"
    count = cardinal(above, language)
    if language == "de":
        ending = GERMAN_PARTS.get(part) or cardinal(below, "de") + ("stel" if part >= 20 else "tel")
        return f"{'ein' if above == '1' else count} {ending}"
    name = {2: "half", 4: "quarter"}.get(part) or ordinal(below, "en")
    return f"{count} {name}" + ("s" if above != "1" else "")


def _mixed(whole: str, above: str, below: str, language: str) -> str:
    fraction = _fraction(above, below, language)
    if fraction == f"{above} {below}":
        return f"{whole} {fraction}"
    if language == "en":
        fraction = f"a {fraction[4:]}" if fraction.startswith("one ") else fraction
    return f"{cardinal(whole, language)} {WORDS[language]['and']} {fraction}"


def _range(first: str, last: str, to: str, shown: str | None = None) -> str:
    """The words between for a range that rises, none for a score; ``shown`` is put in place of the last number."""
    end = last if shown is None else shown
    return f"{first} {to} {end}" if _rises(first, last) else f"{first} {end}"


def _rises(first: str, after: str) -> bool:
    last = re.match(r"[\d.,]*\d", after)[0]
    low, high = (re.sub(r"\D", "", number) for number in (first, last))
    return (len(low), low) < (len(high), high) or len(low) < len(high)
