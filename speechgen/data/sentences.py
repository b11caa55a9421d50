"""Sentences of our own for the generated corpus: a few for every sound, and a small grammar for many more."""

from itertools import product

ENGLISH = (
    "The quick train left the station before sunrise.",
    "Please put three fresh eggs in the blue bowl.",
    "A gentle breeze moved the yellow leaves across the yard.",
    "She chose a thick wool jacket for the journey.",
    "Could you measure the width of this window?",
    "My youngest brother enjoys playing the violin.",
    "The judge thanked both teachers for their patience.",
    "We usually go swimming on Thursday evenings.",
    "Nobody knew why the old clock had stopped.",
    "He poured hot chocolate into five small cups.",
    "The zoo keeper fed the zebras and the young ox.",
    "Thirty white horses ran down to the shore.",
    "What a strange noise the engine makes today!",
    "Our neighbor repairs bicycles and broken chairs.",
    "The pilot saw nothing but clouds and rain.",
    "Bring the long rope and both of the boxes.",
    "An early bird sang above the quiet garden.",
    "The doctor asked her to breathe in slowly.",
    "Fish and fried potatoes were sold near the beach.",
    "They built a huge bridge of stone and steel.",
    "Is there enough butter for another cake?",
    "The child drew a purple house with a red roof.",
    "I should have written down the number.",
    "Good coffee needs clean water and some time.",
)
GERMAN = (
    "Der Zug fährt jeden Morgen pünktlich um sieben ab.",
    "Bitte stell die große Schüssel auf den Küchentisch.",
    "Meine jüngere Schwester spielt gern Geige.",
    "Im Herbst färben sich die Blätter gelb und rot.",
    "Kannst du mir sagen, wie spät es ist?",
    "Die Lehrerin erklärte uns die schwierige Aufgabe.",
    "Zwölf weiße Schafe liefen über die Brücke.",
    "Wir möchten heute Abend Pfannkuchen essen.",
    "Niemand wusste, warum das Licht nicht brannte.",
    "Der Bäcker verkauft frisches Brot und süße Kuchen.",
    "Hinter dem Haus wächst ein alter Apfelbaum.",
    "Das Kind malte ein Schiff mit grünen Segeln.",
    "Ich hätte die Nummer aufschreiben sollen.",
    "Auf dem Dach sitzt eine junge Katze und schläft.",
    "Nächste Woche fahren wir ans Meer.",
    "Der Arzt bat ihn, langsam und tief zu atmen.",
    "Überall lagen Bücher, Hefte und bunte Stifte.",
    "Jeder Vogel kennt den Weg in sein Nest.",
    "Was für ein schöner Tag das gewesen ist!",
    "Sie zog ihre warme Jacke und die Handschuhe an.",
    "Quer durch das Tal fließt ein kleiner Bach.",
    "Mein Nachbar repariert Fahrräder und Uhren.",
    "Vorsicht, der Teller ist noch heiß.",
    "Euer Hund hat wieder die ganze Nacht gebellt.",
)
# One phrase from each column makes a sentence.
GRAMMAR = {
    "en": (
        ("My father", "The tall woman", "A friend of mine", "The old sailor", "Their teacher", "Nobody", "The girl"),
        ("found", "painted", "carried", "described", "wanted to buy", "has lost", "cleaned"),
        (
            "the wooden boat",
            "a pair of shoes",
            "two heavy suitcases",
            "the green door",
            "a very good book",
            "the piano",
        ),
        ("this morning.", "in the village.", "without any help.", "before the storm.", "near the river.", "yesterday."),
    ),
    "de": (
        ("Mein Vater", "Die alte Frau", "Ein guter Freund", "Der Fischer", "Unsere Lehrerin", "Niemand", "Das Mädchen"),
        ("suchte", "bemalte", "kaufte", "beschrieb", "brachte", "verlor", "putzte"),
        ("das kleine Boot", "ein Paar Schuhe", "zwei schwere Koffer", "die grüne Tür", "ein gutes Buch", "das Klavier"),
        ("heute früh.", "im Dorf.", "ohne jede Hilfe.", "vor dem Gewitter.", "am Fluss.", "in der Stadt."),
    ),
}


def sentences(language: str) -> list[str]:
    """All sentences in "en" or "de", about 1,800; the hand-written ones come first."""
    written = ENGLISH if language == "en" else GERMAN
    return [*written, *(" ".join(phrases) for phrases in product(*GRAMMAR[language]))]
