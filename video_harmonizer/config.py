"""Settings files: TOML tables read into the frozen dataclasses that the commands take."""

import dataclasses
import difflib
import tomllib
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import pydantic

from video_harmonizer.errors import InputError

T = TypeVar("T")


def read_toml(kind: type[T], path: Path) -> dict[str, Any]:
    """The settings that the file gives, checked against the fields of ``kind`` and converted to their types.

    Raises:
        InputError: a missing file, bad TOML, an unknown key (with the nearest known one), a wrong type.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8-sig"))  # as Windows' Notepad writes it, too
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; give a settings file in TOML") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not valid TOML: {error}") from error
    fields = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    types = get_type_hints(kind)
    settings = {}
    for key, value in table.items():
        name = key.replace("-", "_")
        if name not in fields:
            if isinstance(value, dict):
                raise InputError(f"{path}: [{key}]: tables are not wanted; write its settings without it")
            near = difflib.get_close_matches(name, fields, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(fields)}"
            raise InputError(f"{path}: unknown setting {key!r}; {hint}")
        if isinstance(value, bool) and types[name] is not bool:  # pydantic would take true for 1
            raise InputError(f"{path}: {key} = {str(value).lower()}: it is neither true nor false; give a value")
        try:
            settings[name] = pydantic.TypeAdapter(types[name]).validate_python(value)
        except pydantic.ValidationError as error:
            message = error.errors()[0]["msg"]
            raise InputError(f"{path}: {key} = {value!r}: {message[0].lower()}{message[1:]}") from error
    return settings
