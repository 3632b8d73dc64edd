"""The verbs of the pipeline's stages. Each takes explicit paths and imports its stage where it is needed."""

import argparse
from pathlib import Path

from relax import config
from relax.cli.verb import Verb, begin, label, part, whole
from relax.errors import ConfigError, DataError


def expect(folder: Path, verb: str) -> Path:
    """The folder, if it is what a finished ``relax verb`` leaves behind.

    Raises:
        DataError: it is not.
    """
    from relax.records.record import read_record

    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; expected that of `relax {verb}`.")
    if (found := read_record(folder).get("verb")) != verb:
        raise DataError(f"{folder}: was made by `relax {found}`, expected the folder of `relax {verb}`.")
    return folder


def run_data(a: argparse.Namespace, loaded: config.Experiment) -> None:
    """Training and held-out problems."""
    from relax.config.benchmarks import check_tasks
    from relax.config.own_code import load
    from relax.data.data_stage import make_problems
    from relax.grading.golds import agree

    # The first job of a pipeline: what would fail hours later is refused here.
    check_tasks({name: loaded.benchmarks[name].task for name in loaded.matrix.benchmarks})
    for _, function in config.own_functions(loaded):
        load(function)
    for name in loaded.matrix.methods:
        if loaded.methods[name].trl:
            _check_passed_on(a, loaded, name)
    settings = config.data_settings(loaded)
    make_problems(settings, a.out, begin(a, loaded, settings, config.local_files(settings)), agree)
    if a.to_verl is not None:
        from relax.data.verl import write_verl
        from relax.grading.answers import gold_text

        write_verl(a.out, a.to_verl, loaded.prompt.recorded(), gold_text)


def add_to_verl(parser: argparse.ArgumentParser) -> None:
    """The option of ``data`` alone."""
    text = "write the same problems as train.parquet and test.parquet in the format of veRL into this folder too"
    parser.add_argument("--to-verl", type=Path, metavar="DIR", help=text)


def _check_passed_on(a: argparse.Namespace, loaded: config.Experiment, method: str) -> None:
    """Refuse what a method passes on to TRL and TRL does not take; importing TRL takes seconds."""
    from relax.config.faults import where
    from relax.training.trl_arguments import passed_on

    try:
        passed_on(loaded.methods[method])
    except ConfigError as error:
        raise ConfigError(f"{where([['methods', method, 'trl']], a.configfile)}: {error}") from error


def run_base(a: argparse.Namespace, loaded: config.Experiment) -> None:
    """The initial policy."""
    from relax.models.base_stage import files_of, make_policy

    settings = config.base_settings(loaded, a.policy)
    run = begin(a, loaded, settings, files_of(settings.policy))
    if settings.policy.warmup is None:
        make_policy(settings, a.out, run, label(a))
    else:
        from relax.latent.accuracy import sampled_accuracy

        make_policy(settings, a.out, run, label(a), sampled_accuracy)


def run_dictionary(a: argparse.Namespace, loaded: config.Experiment) -> None:
    """The Koopman dictionary."""
    settings = config.dictionary_settings(loaded, a.koopman_dim)
    run = begin(a, loaded, settings, [a.base, a.data])
    if a.koopman_dim is not None:
        run.identity["koopman_dim"] = a.koopman_dim
    from relax.latent.dictionary_stage import dictionary_stage

    dictionary_stage(settings, a.base, a.data, a.out, run, label(a))


def add_dimension(parser: argparse.ArgumentParser) -> None:
    """The option of ``dictionary`` alone."""
    text = "functions m, in place of the configuration's"
    parser.add_argument("--koopman-dim", type=whole(2), metavar="N", help=text)


def run_train(a: argparse.Namespace, loaded: config.Experiment) -> None:
    """One training run, in as many processes as the configuration says."""
    from relax.cluster import launch, processes

    if not launch.is_launched():
        plan = launch.plan(loaded, a.policy, a.base, _words_of_train(a), a.dry_run)
        if a.dry_run:
            print(plan or "one process, without a launcher")
            return
        if plan is not None:
            from relax.models.folder import check_folder

            check_folder(a.base)  # a server reads it before the training does
            processes.run(plan, a.checkpoints, label(a), a.log)
            return
    settings = config.train_settings(loaded, a.method)
    run = begin(a, loaded, settings, [a.data, a.base, a.dictionary])
    from relax.training.train_stage import train_stage

    uri, tell = loaded.tracking.uri or "", None
    if uri.startswith(("http:", "https:")):  # several trainings may write to a server at once, to a file not
        from relax.store.live import Live

        tell = Live(uri, loaded.recorded(), run.identity)
    stop = processes.spoken("stop")
    train_stage(settings, a.seed, a.data, a.base, a.dictionary, a.out, a.checkpoints, run, label(a), tell, stop)


TRAIN = ("policy", "method", "seed", "data", "base", "dictionary", "checkpoints", "out")


def _words_of_train(a: argparse.Namespace) -> list[str]:
    """The same training once more, as words."""
    words = [a.verb, "--configfile", *map(str, a.configfile)]
    for name in (*TRAIN, "log"):
        value = getattr(a, name)
        words += [] if value is None else [f"--{name}", str(value)]
    return words + (["--traceback"] if a.traceback else [])


def add_dry_run(parser: argparse.ArgumentParser) -> None:
    """The option of ``train`` alone."""
    text = "print the commands of a training in several processes and start nothing"
    parser.add_argument("--dry-run", action="store_true", help=text)


def run_extract(a: argparse.Namespace, loaded: config.Experiment) -> None:
    """Hidden states of responses, as statistics."""
    settings = config.extract_settings(loaded)
    run = begin(a, loaded, settings, [a.model, a.data, a.dictionary])
    from relax.latent.extract_stage import extract_stage

    extract_stage(settings, a.model, a.data, a.dictionary, a.out, run, label(a))


def run_koopman(a: argparse.Namespace, loaded: config.Experiment) -> None:
    """Spectra and DSD."""
    settings = config.koopman_settings(loaded)
    run = begin(a, loaded, settings, [expect(a.latent, "extract")])
    from relax.latent.koopman_stage import koopman_stage

    koopman_stage(settings, a.latent, a.out, run)


def run_overlap(a: argparse.Namespace, loaded: config.Experiment) -> None:
    """Benchmark problems in the training set."""
    settings = config.overlap_settings(loaded)
    run = begin(a, loaded, settings, [a.train, a.test, *config.local_files(settings)])
    from relax.evaluation.overlap_stage import overlap_stage

    overlap_stage(settings, a.train, a.test, a.out, run)


def run_generate(a: argparse.Namespace, loaded: config.Experiment) -> None:
    """Responses of a policy to every benchmark."""
    settings = config.generate_settings(loaded)
    run = begin(a, loaded, settings, [a.model, a.data, *config.local_files(settings)])
    from relax.evaluation.generate_stage import generate_stage

    generate_stage(settings, a.model, a.data, a.out, run, label(a), a.part)


def add_part(parser: argparse.ArgumentParser) -> None:
    """The option of ``generate`` alone."""
    text = "make every N-th block, beginning with the I-th, so that N jobs share the work"
    parser.add_argument("--part", type=part, default=(1, 1), metavar="I/N", help=text)


def run_grade(a: argparse.Namespace, loaded: config.Experiment) -> None:
    """Grades of kept responses."""
    from relax.evaluation.grade_stage import grade_stage

    settings = config.grade_settings(loaded)
    run = begin(a, loaded, settings, [expect(a.responses, "generate")])
    grade_stage(a.responses, a.out, run, label(a), settings.verifiers)


def run_evaluate(a: argparse.Namespace, loaded: config.Experiment) -> None:
    """Scores from grades; with ``--regrade`` the grades are made first."""
    from relax.evaluation.evaluate_stage import evaluate_stage

    if a.regrade:
        from relax.evaluation.grade_stage import grade_stage

        grading = config.grade_settings(loaded)
        regraded = begin(a, loaded, grading, [expect(a.regrade, "generate")], "grade")
        grade_stage(a.regrade, a.grades, regraded, label(a), grading.verifiers)
    settings = config.evaluate_settings(loaded)
    evaluate_stage(settings, a.grades, a.out, begin(a, loaded, settings, [expect(a.grades, "grade")]))


def add_regrade(parser: argparse.ArgumentParser) -> None:
    """The option of ``evaluate`` alone."""
    text = "grade the responses of this folder first, into --grades; no model is needed"
    parser.add_argument("--regrade", type=Path, metavar="RESPONSES", help=text)


OF_RUN = ("policy", "method", "seed")
#: In the order of the pipeline.
VERBS = (
    Verb("data", "Make the training and held-out problems.", run_data, ("out",), add_to_verl, configured=True),
    Verb(
        "overlap",
        "Find benchmark problems in the training set.",
        run_overlap,
        ("train", "test", "out"),
        configured=True,
    ),
    Verb("base", "Make the initial policy.", run_base, ("policy", "out"), configured=True),
    Verb(
        "dictionary",
        "Fit the Koopman dictionary on the initial policy.",
        run_dictionary,
        ("policy", "base", "data", "out"),
        add_dimension,
        configured=True,
    ),
    Verb("train", "Train one policy with one method and seed.", run_train, TRAIN, add_dry_run, configured=True),
    Verb(
        "extract",
        "Turn the hidden states of a policy's responses into statistics.",
        run_extract,
        (*OF_RUN, "model", "data", "dictionary", "out"),
        configured=True,
    ),
    Verb(
        "koopman",
        "Compute spectra and DSD from the statistics.",
        run_koopman,
        (*OF_RUN, "latent", "out"),
        configured=True,
    ),
    Verb(
        "generate",
        "Generate a policy's responses to every benchmark.",
        run_generate,
        (*OF_RUN, "model", "data", "out"),
        add_part,
        configured=True,
    ),
    Verb(
        "grade",
        "Grade kept responses, without a model.",
        run_grade,
        (*OF_RUN, "responses", "out"),
        configured=True,
    ),
    Verb(
        "evaluate",
        "Compute scores from grades.",
        run_evaluate,
        (*OF_RUN, "grades", "out"),
        add_regrade,
        configured=True,
    ),
)
