"""The whole configuration of an experiment. Its parts are in the modules beside this one."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from relax.config.contradictions import contradictions
from relax.config.data import Data, Prompt
from relax.config.evaluation import AskedBenchmark, Evaluation
from relax.config.latent import Analysis, DictionaryFit
from relax.config.methods import Method
from relax.config.policies import Policy
from relax.config.resources import Resources, Rule
from relax.config.results import Ablation, Paper, Tracking
from relax.config.training import Training
from relax.settings import AtLeastOne, Distinct, Name, Settings, Several, contradiction, key


class Matrix(Settings):
    """What runs, by the names defined below; every policy x method x seed, then every benchmark."""

    policies: Several[Name]
    """Initial policies to train, by their names in `policies`."""
    methods: Distinct[Name]
    """Training methods to compare, by their names in `methods`. Keep `grpo` and `grpo-kl`: differences are taken from
    `grpo`, and a gain of ReLaX counts only beside the same KL without DSD. With `[]` nothing is trained: the policies
    are evaluated as they are ([docs/released.md](../docs/released.md))."""
    seeds: Several[AtLeastOne]
    """Seeds of the training runs, fixed before the runs; 0 is the initial policy. More seeds narrow the intervals, and
    one seed gives none. Seeds differ in rollouts and order, not in the initial policy."""
    benchmarks: Several[Name]
    """Benchmarks every policy is evaluated on, by their names in `benchmarks`."""


class Experiment(Settings):
    """One file says what runs. Keys that are not described here are refused. A default is used where a key is left out
    of the merged configuration."""

    name: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9._-]*$")]
    """Name of the experiment, of lower case letters, digits, point, underscore and hyphen; results go to
    results/<name>/. Give a new one when the data or an initial policy changes; the old folder is refused otherwise."""
    matrix: Matrix
    """What runs, by the names defined below; every policy x method x seed, then every benchmark."""
    data: Data
    """Training and held-out problems."""
    prompt: Prompt = Prompt()
    """How a problem becomes the text a policy reads, the same in training, analysis and evaluation."""
    policies: Annotated[dict[Name, Policy], Field(min_length=1)]
    """Definitions of initial policies, by name."""
    dictionary: DictionaryFit
    """The Koopman dictionary, fitted once on the initial policy's rollouts, then frozen (paper, section 3.2)."""
    training: Training
    """Settings of reinforcement learning that all methods share."""
    methods: Annotated[dict[Name, Method], Field(min_length=1)]
    """Definitions of training methods, by name; what a method does not name keeps TRL's GRPO."""
    ablations: dict[Name, Ablation] = key({})
    """Methods side by side, as a figure of the paper shows them; each gets a table and curves."""
    paper: Paper = Paper()
    """Which of our runs stand beside which numbers printed in the paper."""
    analysis: Analysis
    """Responses of each final policy whose hidden states are analysed."""
    evaluation: Evaluation
    """How benchmarks are run."""
    benchmarks: Annotated[dict[Name, AskedBenchmark], Field(min_length=1)]
    """Definitions of benchmarks, by name."""
    tracking: Tracking = Tracking()
    """Where MLflow runs go."""
    resources: dict[Rule, Resources] = key({})
    """What a Slurm job of a rule asks for; a rule that is left out has the defaults."""
    container: str = "containers/relax-cpu.sif"
    """Image that `snakemake --sdm apptainer` runs every rule in. Nothing else reads the key."""
    limits: list[str] = key([])
    """Paragraphs for the report on deviations from the paper and limits of the experiment. An overlay's list replaces
    the demo's."""

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        for places, message in contradictions(self):
            raise contradiction(message, *places)
        return self
