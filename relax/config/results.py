"""``paper``, ``ablations`` and ``tracking``: what stands beside what in the results, and where the results go."""

from typing import Annotated

from pydantic import AfterValidator, Field

from relax.config.tracking_uri import uri_fault
from relax.settings import Name, Settings, Several, contradiction, key


class Ablation(Settings):
    """Methods side by side, as a figure of the paper shows them."""

    title: str
    """What is varied, for headings."""
    policies: Several[Name] | None = None
    """Policies that it is shown for; null: all of the matrix."""
    arms: Annotated[dict[str, str], Field(min_length=2)]
    """Label -> method, in the order shown, such as `{alpha 0.1: relax, alpha 0.3: relax-alpha-0.3}`."""


class PaperRow(Settings):
    """Our runs that stand for a row of a printed table."""

    policy: str
    """Policy that stands for the row's model, a name from `policies`."""
    methods: Several[Name]
    """Methods that stand for the row's; initial is the initial policy. The table gets a row for each method. `initial`
    stands for rows without training, and for the fit of the dictionary in Table 6, where other methods are set against
    GRPO."""


class PaperColumn(Settings):
    """Our benchmark that stands for a column of the printed tables."""

    benchmark: str
    """Benchmark that stands for the column, a name from `benchmarks`."""
    metric: Annotated[str, Field(pattern="^mean@[1-9][0-9]*$")]
    """Metric of the benchmark: `mean@1` or `mean@k`, as the benchmark is asked for. The paper has `mean@1` for MATH500,
    Minerva and the multimodal benchmarks, and `mean@32` for the others."""


class Paper(Settings):
    """Which of our runs stand beside which numbers printed in the paper."""

    rows: dict[str, dict[str, PaperRow]] = key({})
    """Table -> row of the printed table -> policy and methods, such as `{Table 2: {"Qwen2.5-base, 3B, ReLaX": {policy:
    qwen2.5-3b, methods: [relax, relax-sv]}}}`. A row is named by its words in print, joined by commas: base model, size
    and method. In Table 1 the model alone is the name, and in Table 6 base model and component. Rows of printed gains
    follow from the two rows they are taken of."""
    columns: dict[str, PaperColumn] = key({})
    """Column of the printed tables -> benchmark and metric, such as `{AIME24: {benchmark: aime24, metric:
    mean@32}}`."""


def _served(uri: str) -> str:
    # An empty address counts as null.
    if uri and (fault := uri_fault(uri)):
        raise contradiction(f"tracking.uri {fault}, or null for mlflow.db in the results folder.")
    return uri


class Tracking(Settings):
    """Where MLflow runs go."""

    uri: Annotated[str, AfterValidator(_served)] | None = None
    """MLflow tracking URI; null: SQLite in results/<name>/mlflow.db. The file is written at the end. A server
    (`http...`) is also told of trainings while they run ([docs/tracking.md](../docs/tracking.md)). A folder (`mlruns`)
    is refused, since MLflow 3.17 takes none."""
