"""Is a folder a policy that can be loaded? Read from its files alone, before any library is asked; nothing is loaded.

transformers passes over a generation_config.json that is cut off, makes an empty tokenizer where there is none, reads
pickled weights where there are no others, and names no file where a JSON file is broken.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from relax.errors import DataError

#: Files that are JSON objects where they are there.
OBJECTS = (
    "config.json", "generation_config.json", "tokenizer_config.json", "tokenizer.json", "special_tokens_map.json",
    "added_tokens.json", "chat_template.json", "processor_config.json", "preprocessor_config.json",
    "model.safetensors.index.json",
)  # fmt: skip
#: Endings of files with weights in pickled form, which can run code when they are read; they never are.
PICKLED = (".bin", ".pt", ".pth", ".pkl", ".ckpt")
WHOLE, INDEX = "model.safetensors", "model.safetensors.index.json"


def cannot_load(name: str, reason: str) -> DataError:
    """The sentence for a folder that is no policy."""
    return DataError(f"{name}: transformers cannot load it as a causal language model ({reason}).")


def check_folder(folder: str | Path, name: str | None = None) -> None:
    """Refuse what is no folder of a policy with whole weights in safetensors files and without code of its own.

    Args:
        folder: to look at.
        name: for the sentence; the folder where it is not given.

    Raises:
        DataError: names the first fault.
    """
    folder, name = Path(folder), name or str(folder)
    if folder.is_file():
        raise not_a_folder(folder)
    if not (folder / "config.json").is_file():
        raise DataError(f"{name}: no policy there (config.json is missing{_instead(folder)}).")
    found = {file: _object(folder / file, name) for file in OBJECTS if (folder / file).exists()}
    if not isinstance(found["config.json"].get("model_type"), str):
        raise cannot_load(name, "config.json names no model_type")
    if foreign := sorted(_own_code(found)):
        raise cannot_load(
            name,
            f"it brings code of its own (auto_map: {', '.join(foreign)}), and such code is never run; take a "
            "model whose class is part of transformers",
        )
    if (folder / "adapter_config.json").exists():
        raise cannot_load(name, "it holds an adapter (adapter_config.json); merge it into its model")
    _check_weights(folder, found.get(INDEX), name)


def is_gguf(path: Path) -> bool:
    """Whether a path is named as a GGUF file is."""
    return path.suffix.lower() == ".gguf"


def not_a_folder(path: Path) -> DataError:
    """The sentence for a file that was given in place of a policy's folder."""
    if is_gguf(path):
        return DataError(f"{path}: is a GGUF file, expected a policy's folder; write `gguf` in place of `path` for it.")
    return DataError(f"{path}: is a file, expected a policy's folder with config.json; give the folder.")


def _instead(folder: Path) -> str:
    if not folder.exists():
        return "; there is no such folder"
    if file := next(folder.glob("*.gguf"), None):
        return f"; for a GGUF file give the file itself, {file}"
    if (folder / "adapter_config.json").exists():
        return "; it holds an adapter, which must be merged into its model"
    return ""


def _object(file: Path, name: str) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise cannot_load(name, f"{file.name} is not UTF-8 text (byte {error.start})") from error
    except (json.JSONDecodeError, RecursionError) as error:
        where = f"line {error.lineno}" if isinstance(error, json.JSONDecodeError) else "nested without end"
        raise cannot_load(name, f"{file.name} is not JSON, {where}; fetch or copy it again") from error
    except OSError as error:  # a cache's link into nowhere
        raise cannot_load(name, f"{file.name} cannot be read, {error.strerror}") from error
    if not isinstance(content, dict):
        raise cannot_load(name, f"{file.name} holds no JSON object but {type(content).__name__}")
    return content


def _own_code(found: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Classes of the folder's own that transformers does not have under the same name.

    Models that have become part of transformers keep their auto_map for older versions; transformers' class is taken.
    """
    import transformers

    known = set(dir(transformers))
    for content in found.values():
        named = content.get("auto_map") or {}
        for entry in named.values() if isinstance(named, dict) else [named]:
            for reference in entry if isinstance(entry, list | tuple) else [entry]:
                if reference is not None and str(reference).rsplit(".", 1)[-1] not in known:
                    yield str(reference)


def _check_weights(folder: Path, index: dict[str, Any] | None, name: str) -> None:
    files = {WHOLE} if (folder / WHOLE).exists() else set()
    if index is not None:
        parts = index.get("weight_map")
        if not isinstance(parts, dict) or not parts or not all(isinstance(part, str) for part in parts.values()):
            raise cannot_load(name, f"{INDEX} has no weight_map of tensors to files")
        files |= set(parts.values())
    if not files:
        pickled = sorted(file.name for file in folder.iterdir() if file.suffix in PICKLED)
        raise cannot_load(
            name,
            f"its weights are pickled ({pickled[0]}), which can run code when they are read; take safetensors files"
            if pickled
            else f"it has no weights; expected {WHOLE}, or {INDEX} and its parts",
        )
    for file in sorted(files):
        if not (folder / file).exists():
            raise cannot_load(name, f"{file} is missing; fetch or copy it again")
        try:
            with safe_open(folder / file, "np"):  # reads the header, and compares it with the length of the file
                pass
        except (SafetensorError, OSError) as error:
            raise cannot_load(
                name, f"{file} is cut off or no safetensors file: {str(error).rstrip('.')}; fetch or copy it again"
            ) from error
