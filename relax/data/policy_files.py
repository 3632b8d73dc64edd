"""The files of a policy's folder, before transformers reads them: it passes over some broken ones in silence."""

from pathlib import Path

from relax.files import read_json_object, reading


def refuse_broken(policy: str | Path) -> None:
    """Refuse a policy with a JSON or safetensors file that is cut off or damaged, without reading any weight.

    transformers 5.17 ends in errors of many classes where its configuration, tokenizer or weights are broken, and goes
    on with defaults of its own where generation_config.json is, which names the tokens that end a response.

    Args:
        policy: folder.

    Raises:
        DataError: a file is broken; names it.
    """
    mend = "make or copy this policy again"
    for path in sorted(Path(policy).glob("*.json")):
        read_json_object(path, mend)
    for path in sorted(Path(policy).glob("*.safetensors")):
        from safetensors import safe_open

        with reading(path, mend), safe_open(path, framework="pt"):  # its header must account for every byte
            pass
