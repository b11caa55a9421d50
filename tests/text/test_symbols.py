"""Symbol tables."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechgen.errors import UserError
from speechgen.text.symbols import SymbolTable

symbols = st.lists(st.text(min_size=1, max_size=3), min_size=1, max_size=30, unique=True)


@given(symbols, st.data())
def test_decoding_undoes_encoding(listed, data):
    table = SymbolTable(listed)
    chosen = data.draw(st.lists(st.sampled_from(listed)))
    assert table.decode(table.encode(chosen)) == chosen
    assert table.encode(listed) == list(range(len(table)))


@given(symbols)
def test_a_saved_table_is_read_back_equal(tmp_path_factory, listed):
    path = tmp_path_factory.mktemp("table") / "symbols.json"
    SymbolTable(listed).save(path)
    assert SymbolTable.load(path) == SymbolTable(listed)


def test_a_table_of_sequences_is_sorted_after_the_first_symbols():
    table = SymbolTable.of([["b", " ", "a"], ["ç", "a"]], first=["<blank>", " "])
    assert table.symbols == ["<blank>", " ", "a", "b", "ç"] and "ç" in table and "x" not in table


def test_an_unknown_symbol_is_named():
    with pytest.raises(UserError, match="'ʒ'"):
        SymbolTable(["a", "b"]).encode(["a", "ʒ"])


@pytest.mark.parametrize("number", [-1, 2])
def test_a_number_out_of_range_is_refused(number):
    with pytest.raises(UserError, match="range"):
        SymbolTable(["a", "b"]).decode([number])


@pytest.mark.parametrize("listed", [["a", "b", "a"], ["a", ""], ["a", 3]])
def test_a_list_that_is_no_table_is_refused(listed):
    with pytest.raises(UserError, match="symbol table"):
        SymbolTable(listed)


@pytest.mark.parametrize("content", ["not json", '{"a": 1}', None, "\udcff"])
def test_a_file_that_is_no_table_is_named(tmp_path, content):
    path = tmp_path / "symbols.json"
    if content is not None:
        path.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(UserError, match="symbols.json"):
        SymbolTable.load(path)
