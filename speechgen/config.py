"""Typed configs: YAML in, pydantic out, extra keys refused with the nearest valid one named."""

from pathlib import Path
from typing import Any, TypeVar

import pydantic
import yaml

from speechgen.errors import UserError, nearest


class Config(pydantic.BaseModel):
    """Base of every config: keys are fixed, values are typed, instances do not change."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


C = TypeVar("C", bound=Config)


def load_config(kind: type[C], path: str | Path, overrides: list[str] | None = None) -> C:
    """Read a YAML file into a config of the given kind.

    ``overrides`` are ``a.b=c`` strings, applied in order; the value is read as YAML.
    Raises UserError for a missing file, bad YAML, an unknown key or a wrong type.
    """
    path = Path(path)
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, IsADirectoryError):
        raise UserError(f"{path}: no such config file") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: not UTF-8 text") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not plain YAML: {_one_line(error)}") from None
    if not isinstance(values, dict):
        raise UserError(f"{path}: expected 'key: value' lines")
    for override in overrides or []:
        _apply(values, override)
    return make_config(kind, values, str(path))


def make_config(kind: type[C], values: dict[str, Any], name: str = "config") -> C:
    """Check plain values against a config kind; raises UserError naming the first bad key."""
    try:
        return kind.model_validate(values)
    except pydantic.ValidationError as error:
        raise UserError(f"{name}: {_explain(error, kind)}") from None


def save_config(config: Config, path: str | Path) -> None:
    """Write a config as YAML that ``load_config`` reads back to an equal one."""
    Path(path).write_text(yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False), encoding="utf-8")


def _apply(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise UserError(f"--set {override}: expected key.subkey=value")
    *parents, last = key.split(".")
    for parent in parents:
        values = values.setdefault(parent, {})
        if not isinstance(values, dict):
            raise UserError(f"--set {override}: {parent} is a single value, it has no keys below it")
    try:
        values[last] = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UserError(f"--set {override}: not plain YAML: {_one_line(error)}") from None


def _explain(error: pydantic.ValidationError, kind: type[Config]) -> str:
    first = error.errors()[0]
    where = [str(part) for part in first["loc"]]
    # pydantic puts the tag of a union's member into the path; the file and --set have no such key.
    key = ".".join(part for i, part in enumerate(where) if not _is_tag(kind, where, i))
    if first["type"] == "extra_forbidden":
        return f"unknown key {key!r}{nearest(where[-1], _keys_at(kind, where[:-1]))}"
    if first["type"] == "missing":
        return f"key {key!r} is missing"
    if first["type"] == "value_error" and isinstance(first["input"], dict):  # of several keys, which the sentence names
        said = str(first["ctx"]["error"])
        return f"{key}: {said}" if key else said
    given = repr(first.get("input"))
    return f"{key or 'config'} = {given[:60]}: {first['msg']}"


def _is_tag(kind: type[Config], path: list[str], place: int) -> bool:
    inner = place < len(path) - 1 and not path[place].isdigit()
    return inner and path[place] not in _keys_at(kind, path[:place])


def _keys_at(kind: type[Config], path: list[str]) -> list[str]:
    """The keys that a config (or the member of a tagged union) allows at a dotted path."""
    kinds = [kind]
    for part in path:
        fields = [k.model_fields[part].annotation for k in kinds if part in k.model_fields]
        tagged = [k for k in kinds if part in [str(f.default) for f in k.model_fields.values()]]
        kinds = tagged or [member for field in fields for member in _configs_in(field)]
    return [key for k in kinds for key in k.model_fields]


def _configs_in(annotation: Any) -> list[type[Config]]:
    if isinstance(annotation, type) and issubclass(annotation, Config):
        return [annotation]
    return [found for inner in getattr(annotation, "__args__", ()) for found in _configs_in(inner)]


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:160]
