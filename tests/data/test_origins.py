from dataclasses import dataclass

import pytest

from speechgen.data.corpora import CORPORA
from speechgen.data.origins import ORIGINS, corpus_of, summarise_corpora


@dataclass
class Spoken:
    speaker: str
    language: str
    seconds: float


@pytest.mark.parametrize(
    ("speaker", "corpus"),
    [
        ("kathleen", "kathleen"),
        ("speechocean762-0001", "speechocean762"),
        ("mini03", "mini"),
        ("1089", ""),
        ("ann", ""),
    ],
)
def test_the_corpus_of_a_speaker(speaker, corpus):
    assert corpus_of(speaker) == corpus


def test_a_summary_of_corpora():
    spoken = [
        Spoken("kathleen", "en", 1800.0),
        Spoken("mini01", "en", 360.0),
        Spoken("mini02", "de", 360.0),
        Spoken("ann", "fr", 36.0),
    ]
    assert summarise_corpora(spoken) == [
        {"name": "", "hours": 0.01, "utterances": 1, "speakers": 1, "languages": ["fr"]},
        {"name": "kathleen", "hours": 0.5, "utterances": 1, "speakers": 1, "languages": ["en"]},
        {"name": "mini", "hours": 0.2, "utterances": 2, "speakers": 2, "languages": ["de", "en"]},
    ]
    assert summarise_corpora([]) == []


def test_corpora_of_the_starter_set_have_a_licence_and_a_page():
    for name in ("speechocean762", "kathleen", "kerstin"):
        assert name in CORPORA and ORIGINS[name].licence and ORIGINS[name].page.startswith("https://")


def test_copies_at_other_speeds_are_told_and_not_counted():
    spoken = [Spoken("kathleen", "en", 1800.0), Spoken("kathleen-sp0.9", "en", 2000.0), Spoken("ann-sp1.1", "en", 9.0)]
    (kathleen,) = summarise_corpora(spoken)
    assert kathleen["hours"] == 0.5 and kathleen["speakers"] == 1 and kathleen["speeds"] == [0.9]
