"""``data`` and ``prompt``: the problems, and how a problem becomes the text that a policy reads."""

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, create_model, field_validator, model_validator

from relax.settings import Count, Settings, Text, contradiction, key
from relax.tasks import TASKS
from relax.tasks.file import DataFile
from relax.tasks.hub import DataSet
from relax.tasks.problem import IMAGE
from relax.tasks.task import Task

#: The columns of veRL's Parquet.
VERL = {"prompt": "prompt", "answer": "reward_model.ground_truth"}


class CommonData(Settings):
    """Training and held-out problems."""

    source: str
    """A task of `relax/tasks`. `hub` reads the data sets listed under `datasets`, and `file` the files listed under
    `files`. The others are generated without network ([docs/study.md](../docs/study.md#tasks))."""
    seed: Count = 0
    """Seed of generation and order. `hub` and `file` do not read the seed."""
    digits: Annotated[int, Field(ge=2, le=128)] = 7
    """Digits of a noisy-sum or answer-prior problem. More digits make the task harder and responses longer."""
    train_problems: Count = key(6000, unit="problems", paper="about 22 000 (text)")
    """Problems to train on; an empty set is refused by `relax data`. More problems lower the number of repetitions.
    `hub` and `file` do not read the number: all rows count."""
    test_problems: Count = key(100, unit="problems")
    """Held-out problems. More of them narrow the error bars and lengthen evaluation in proportion. For `visual` each
    problem is put in five drawings. For `hub` and `file` the held-out problems are taken out of the training problems,
    the same ones whatever the order of the rows; where a file has `held_out: true`, its problems are held out, and the
    number is not read."""
    instruction: Text | None = key(None, paper="not stated")
    """Text put below every problem of a data set of the hub or a file, on a line of its own. The problems of `visual`,
    `elementary` and `reasoning-gym` get it too. `noisy-sum`, `answer-prior` and `countdown` refuse it, since their
    checks know the whole prompt.
    The tasks of the benchmarks say "Please reason step by step, and put your final answer within \\boxed{}."; a policy
    that is to box should be trained with the same words."""
    datasets: list[DataSet] = key([])
    """Data sets of the hub, read from the local cache that `relax fetch` fills."""
    format: Literal["columns", "verl"] = key("columns", late=True)
    """How a row of a data set or a file holds its problem. `columns`: in the columns that the entry names. `verl`: as
    veRL's Parquet does, and the entry need not name columns: the problem is `prompt`, the answer
    `reward_model.ground_truth`, the subset `extra_info.subset` or else `data_source`, and images are `images`. `hub`
    and `file` alone read the key."""
    files: list[DataFile] = key([], late=True)
    """Files of one's own, for `source: file`."""

    @model_validator(mode="before")
    @classmethod
    def _columns_of_verl(cls, values: Any) -> Any:
        """With the format of veRL an entry names no columns; its record names those that are read."""
        if not isinstance(values, dict) or values.get("format") != "verl":
            return values
        listed = {name: values[name] for name in ("datasets", "files") if isinstance(values.get(name), list)}
        return values | {
            name: [VERL | entry if isinstance(entry, dict) else entry for entry in entries]
            for name, entries in listed.items()
        }

    def of(self, task: Task) -> Settings | None:
        """The settings of a task; None where it has none."""
        return None if task.settings is None else getattr(self, task.key)

    @model_validator(mode="after")
    def _has_problems(self) -> Self:
        if self.source == "hub" and not self.datasets:
            raise contradiction("data.source is hub, but data.datasets names no data set.", "source", "datasets")
        if self.source == "file" and not self.files:
            raise contradiction("data.source is file, but data.files names no file.", "source", "files")
        if self.instruction is not None and TASKS[self.source].verify is not None:
            raise contradiction(
                f"data.instruction is not read by the task {self.source}, whose check knows the whole prompt; leave it "
                "out.",
                "instruction",
                "source",
            )
        if self.files and all(file.held_out for file in self.files):
            raise contradiction("every file is held out, and none is left to train on.", "files")
        return self


#: The tasks whose settings stand in every record; those of a younger task are left out where they have their defaults.
RECORDED = ("answer-prior", "countdown", "visual")


def _of_tasks() -> dict[str, Any]:
    """The keys that the tasks bring: their names, and the settings of each below its own name."""
    described = CommonData.model_fields["source"].description
    keys: dict[str, Any] = {"source": (Literal[tuple(TASKS)], Field(description=described))}
    for task in TASKS.values():
        if task.settings is not None:
            said = (task.settings.__doc__ or "").strip().rstrip(".")
            keys[task.key] = (
                task.settings,
                Field(
                    task.settings(),
                    description=f"{said}, for `source: {task.name}`.",
                    json_schema_extra=None if task.name in RECORDED else {"late": True},
                ),
            )
    return keys


if TYPE_CHECKING:
    Data = CommonData
else:
    Data = create_model("Data", __base__=CommonData, __doc__=CommonData.__doc__, **_of_tasks())


class Shot(Settings):
    """A worked example, shown as two turns of a conversation before the problem's turn."""

    problem: Annotated[Text, Field(min_length=1)]
    """Text of the example's problem, the user's turn. It is shown as it is: where `data.instruction` stands below the
    problems, write it here too."""
    response: Annotated[Text, Field(min_length=1)]
    """The worked response, the policy's turn. Let it work the answer out step by step and end as a right response must,
    with the answer in a box where the grader looks for one."""
    subset: str | None = None
    """The example is shown with the problems of this subset alone, such as a kind of `elementary`; null: with every
    problem."""

    @field_validator("problem", "response")
    @classmethod
    def _is_text(cls, text: str) -> str:
        if IMAGE in text:
            raise contradiction(f"a worked example is text alone and has no place for an image; take {IMAGE} out.")
        return text


class Prompt(Settings):
    """How a problem becomes the text a policy reads, the same in training, analysis and evaluation."""

    chat_template: bool = key(False, paper="not stated")
    """Whether the problem becomes the user's turn of the policy's chat template. False takes the problem as it is, for
    base models. A policy without a template is refused."""
    system: Text | None = key(None, paper="not stated")
    """System turn of the chat template. It needs `chat_template: true`."""
    shots: list[Shot] = key([], late=True, paper="not stated")
    """Worked examples, the same in training, analysis and evaluation. They need `chat_template: true`. A policy that
    was never trained to box its answers learns the form from two of them. Each example makes every prompt longer."""
    thinking: bool = key(False, paper="not stated")
    """Whether the chat template is asked for thinking (`enable_thinking`). Models that can think or not ask for it.
    Thinking needs a long `max_response_length`."""

    @model_validator(mode="after")
    def _turns_have_a_template(self) -> Self:
        if self.system and not self.chat_template:
            raise contradiction("a system turn needs prompt.chat_template: true.", "system", "chat_template")
        if self.shots and not self.chat_template:
            raise contradiction("worked examples need prompt.chat_template: true.", "shots", "chat_template")
        return self
