"""Whether run records fit each other, the files beside them and the code of now: nothing is made of what does not fit.

`relax why` looks at everything behind one result. This is asked for every table and figure, so it hashes no weights of
large policies; of those it compares what the records say.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from relax.config import digest
from relax.errors import DataError
from relax.records.code import RERUN, changed
from relax.records.record import RECORD, digest_path
from relax.records.why import Chain

#: Bytes of an output up to which it is hashed: all but the weights of policies of tens of millions of parameters.
LARGEST = 100_000_000
#: (folder, record).
Found = tuple[Path, Mapping[str, Any]]


def refuse_changed(folder: Path, record: Mapping[str, Any]) -> None:
    """Refuse an output that is not what the record beside it says, and settings that do not give their hash.

    An output that is missing is its reader's business. One larger than :data:`LARGEST` is left to `relax why`.

    Raises:
        DataError: names the file or folder.
    """
    anew = f"remove {folder} and run the pipeline again, which makes it anew"
    if (hashed := record.get("settings_hash")) and digest(record["settings"]) != hashed:
        raise DataError(f"{folder / RECORD}: its settings do not give their recorded hash {hashed}; {anew}.")
    for path, recorded in (record.get("outputs") or {}).items():
        # As recorded on whatever machine: a file or folder of this folder, or of one in it.
        places = [folder.joinpath(*Path(path).parts[-depth:]) for depth in (1, 2)]
        found = next((place for place in places if place.exists()), None)
        if found is not None and _bytes(found) <= LARGEST and (now := digest_path(found)) != recorded:
            raise DataError(
                f"{found}: is not what its run record says (hash {now}, recorded {recorded}); put the right one back, "
                f"or {anew}."
            )


def _bytes(place: Path) -> int:
    return sum(path.stat().st_size for path in [place, *place.rglob("*")] if path.is_file())


def refuse_broken(root: Path, found: Sequence[Found], asked: Sequence[Found]) -> None:
    """Refuse records made from something that no record made, or that its record has made again since.

    Args:
        root: the results folder.
        found: all its records.
        asked: those that something is made from.

    Raises:
        DataError: names both ends of the link.
    """
    chain = Chain(root, found)
    for folder, record in asked:
        for path, recorded in (record.get("inputs") or {}).items():
            place = chain.place(path)
            if place == path:  # outside the results folder
                continue
            maker = chain.maker(place)
            if maker is None:
                raise DataError(
                    f"{root / place}: the run record of what made it is gone, but {folder} was made from it; run the "
                    f"pipeline again, which makes both anew, or put {RECORD} back."
                )
            made = {chain.place(output): digest for output, digest in chain.records[maker]["outputs"].items()}
            if made.get(place, recorded) != recorded:
                raise DataError(
                    f"{folder}: was made from another {root / place} (hash {recorded}) than the one that is recorded "
                    f"there now ({made[place]}); remove {folder} and run the pipeline again, which makes it anew."
                )


def other_code(records: Sequence[Mapping[str, Any]]) -> str:
    """A sentence on the records that another version of the code has made than this one, of the stages that the
    pipeline would run again for it; empty where there are none."""
    verbs = Counter(record["verb"] for record in records if record["verb"] in RERUN and changed(record))
    if not verbs:
        return ""
    named = ", ".join(f"{verb} ({count} {'run' if count == 1 else 'runs'})" for verb, count in verbs.items())
    return (
        f"Fault: made with other code than that of now: {named}; `relax why` says which, the pipeline runs them again."
    )
