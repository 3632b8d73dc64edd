"""The base of the typed configuration."""

from relax.settings import Settings, key


class _Part(Settings):
    first: int = 1
    younger: int | None = key(None, late=True)


class _Whole(Settings):
    part: _Part


def test_a_record_leaves_out_a_late_key_at_its_default():
    assert _Whole(part=_Part(first=1)).recorded() == {"part": {"first": 1}}
    assert _Whole(part=_Part(first=1, younger=None)).recorded() == {"part": {"first": 1}}
    assert _Whole(part=_Part(younger=3)).recorded() == {"part": {"first": 1, "younger": 3}}
