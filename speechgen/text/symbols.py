"""A fixed list of symbols (phonemes or characters) and their numbers."""

import json
import os
from collections.abc import Iterable
from pathlib import Path

from speechgen.errors import UserError


class SymbolTable:
    """Symbols numbered in the order given; ``len(table)`` is their count. The order never changes by itself."""

    def __init__(self, symbols: list[str]):
        """Raises UserError when a symbol is empty, no string, or occurs twice."""
        self.symbols = list(symbols)
        for symbol in self.symbols:
            if not isinstance(symbol, str) or not symbol:
                raise UserError(
                    f"symbol table: {symbol!r} is no symbol; every entry is a string of one character or more"
                )
        self._numbers = {symbol: number for number, symbol in enumerate(self.symbols)}
        if len(self._numbers) < len(self.symbols):
            twice = next(s for n, s in enumerate(self.symbols) if self._numbers[s] != n)
            raise UserError(f"symbol table: {twice!r} is listed twice")

    @classmethod
    def of(cls, sequences: Iterable[Iterable[str]], first: Iterable[str] = ()) -> "SymbolTable":
        """The table of all symbols that occur, sorted, after the ``first`` ones (a blank, a padding)."""
        first = list(first)
        found = {symbol for sequence in sequences for symbol in sequence}
        return cls(first + sorted(found - set(first)))

    def encode(self, symbols: Iterable[str]) -> list[int]:
        """Symbols to numbers; raises UserError naming the first symbol that the table lacks."""
        numbers = []
        for symbol in symbols:
            if symbol not in self._numbers:
                raise UserError(
                    f"symbol {symbol!r} is not among the {len(self)} symbols that this model was trained on"
                )
            numbers.append(self._numbers[symbol])
        return numbers

    def decode(self, numbers: Iterable[int]) -> list[str]:
        """Numbers to symbols; raises UserError for a number out of range."""
        symbols = []
        for number in numbers:
            if not 0 <= number < len(self):
                raise UserError(f"symbol number {number} is out of range 0..{len(self) - 1}")
            symbols.append(self.symbols[number])
        return symbols

    def save(self, path: str | Path) -> None:
        """Write the table as a JSON list, so that a space is a symbol like any other."""
        path = Path(path)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
        temporary.write_text(json.dumps(self.symbols, ensure_ascii=False) + "\n", encoding="utf-8")
        os.replace(temporary, path)

    @classmethod
    def load(cls, path: str | Path) -> "SymbolTable":
        """Read a saved table; raises UserError when the file is missing or holds no list of symbols."""
        try:
            symbols = json.loads(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise UserError(f"{path}: cannot read the symbol table ({error.strerror})") from None
        except ValueError:
            raise UserError(f"{path}: is no symbol table; expected a JSON list of strings") from None
        if not isinstance(symbols, list):
            raise UserError(f"{path}: is no symbol table; expected a JSON list of strings")
        return cls(symbols)

    def __len__(self) -> int:
        return len(self.symbols)

    def __contains__(self, symbol: object) -> bool:
        return symbol in self._numbers

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SymbolTable) and self.symbols == other.symbols

    __hash__ = None
