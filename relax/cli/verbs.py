"""What each verb of the command line does: settings, record and stage, imported where it is needed."""

import argparse
import json
import logging
import tempfile
from pathlib import Path
from typing import Any

from relax import config
from relax.errors import ConfigError, DataError
from relax.settings import Settings

logger = logging.getLogger("relax")


def _run(
    arguments: argparse.Namespace,
    loaded: config.Config,
    settings: Settings | dict[str, Any],
    inputs: list[Any],
    verb: str | None = None,
) -> Any:
    """The record of this verb, or of another that it does as well, with the identity its options give."""
    from relax.records.code import code_of
    from relax.records.record import Run

    verb = verb or arguments.verb
    names = ("policy", "method", "seed", "benchmark")
    identity = {name: getattr(arguments, name) for name in names if name in arguments}
    settings = settings.recorded() if isinstance(settings, Settings) else settings
    return Run(
        verb=verb,
        identity={"name": loaded["name"], **identity},
        settings=settings,
        inputs=list(inputs),
        config_hash=config.digest(loaded),
        code=code_of(verb, settings),
    )


def _label(arguments: argparse.Namespace) -> str:
    parts = [arguments.verb, arguments.policy]
    if "method" in arguments:
        parts += [arguments.method, f"seed {arguments.seed}"]
    return " ".join(parts)


def check_names(a: argparse.Namespace, loaded: config.Config) -> None:
    """Refuse a policy or method that the configuration does not define; all but ``train`` also take ``initial``."""
    if "policy" in a:
        config.require(loaded, "policies", a.policy)
    if "method" in a and (a.method != "initial" or a.verb == "train"):
        config.require(loaded, "methods", a.method)


def _expect(folder: Path, verb: str) -> Path:
    """The folder, if it is what a finished ``relax verb`` leaves behind."""
    from relax.records.record import read_record

    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; expected that of `relax {verb}`.")
    if (found := read_record(folder).get("verb")) != verb:
        raise DataError(f"{folder}: was made by `relax {found}`, expected the folder of `relax {verb}`.")
    return folder


def _collected(a: argparse.Namespace, loaded: config.Config, run: Any) -> Any:
    """What has run in a results folder, noted as what this verb has read."""
    from relax.records.why import record_inputs
    from relax.results.collect import collect

    results = collect(a.root, loaded)
    if not results.records:
        raise DataError(f"{a.root}: no run record of {loaded['name']} there; expected the folder results/<name>/.")
    run.digests |= record_inputs(a.root, [record["folder"] for record in results.records])
    return results


def fetch(a: argparse.Namespace) -> int:
    """Bring what the configuration names to the local cache."""
    from relax.config.benchmarks import find, read_task
    from relax.models.hub import fetch

    loaded = config.load(a.configfile)
    asked = [loaded["benchmarks"][name] for name in loaded["matrix"]["benchmarks"]]
    own = [find(e["task"]) for e in asked if e["path"] is None and "repo" in read_task(e["task"])["metadata"]]
    sources = [{"repo": b.repo, "revision": b.revision} for b in own]
    for line in fetch(loaded, sources) or ["nothing to fetch: no policy or data set of the hub is named"]:
        print(line)
    return 0


def data(a: argparse.Namespace, loaded: config.Config) -> None:
    """Training and held-out problems."""
    from relax.config.benchmarks import check_tasks
    from relax.data.data_stage import make_problems
    from relax.grading.golds import agree

    # The first job of a pipeline: what would fail hours later is refused here.
    check_tasks({name: loaded["benchmarks"][name] for name in loaded["matrix"]["benchmarks"]})
    settings = config.data_settings(loaded)
    make_problems(settings, a.out, _run(a, loaded, settings, config.local_files(settings)), agree)


def base(a: argparse.Namespace, loaded: config.Config) -> None:
    """The initial policy."""
    settings = config.base_settings(loaded, a.policy)
    run = _run(a, loaded, settings, [])
    from relax.models.base_stage import make_policy

    make_policy(settings, a.out, run, _label(a))


def dictionary(a: argparse.Namespace, loaded: config.Config) -> None:
    """The Koopman dictionary."""
    settings = config.dictionary_settings(loaded, a.koopman_dim)
    run = _run(a, loaded, settings, [a.base, a.data])
    if a.koopman_dim is not None:
        run.identity["koopman_dim"] = a.koopman_dim
    from relax.latent.dictionary_stage import build

    build(settings, a.base, a.data, a.out, run, _label(a))


def train(a: argparse.Namespace, loaded: config.Config) -> None:
    """One training run, in as many processes as the configuration says."""
    from relax.cluster import launch, processes

    if not launch.is_launched():
        plan = launch.plan(loaded, a.policy, a.base, _train_words(a), a.dry_run)
        if a.dry_run:
            print(plan or "one process, without a launcher")
            return
        if plan is not None:
            from relax.models.folder import check_folder

            check_folder(a.base)  # a server reads it before the training does
            processes.run(plan, a.checkpoints, _label(a), a.log)
            return
    settings = config.train_settings(loaded, a.method)
    run = _run(a, loaded, settings, [a.data, a.base, a.dictionary])
    from relax.training.train_stage import train

    uri, tell = loaded["tracking"]["uri"] or "", None
    if uri.startswith(("http:", "https:")):  # several trainings may write to a server at once, to a file not
        from relax.store.live import Live

        tell = Live(uri, loaded, run.identity)
    stop = processes.spoken("stop")
    train(settings, a.seed, a.data, a.base, a.dictionary, a.out, a.checkpoints, run, _label(a), tell, stop)


def _train_words(a: argparse.Namespace) -> list[str]:
    """The same training once more, as words."""
    words = [a.verb, "--configfile", *map(str, a.configfile)]
    for name in ("policy", "method", "seed", "data", "base", "dictionary", "checkpoints", "out", "log"):
        value = getattr(a, name)
        words += [] if value is None else [f"--{name}", str(value)]
    return words + (["--traceback"] if a.traceback else [])


def extract(a: argparse.Namespace, loaded: config.Config) -> None:
    """Hidden states of responses, as statistics."""
    settings = config.extract_settings(loaded)
    run = _run(a, loaded, settings, [a.model, a.data, a.dictionary])
    from relax.latent.extract_stage import extract

    extract(settings, a.model, a.data, a.dictionary, a.out, run, _label(a))


def koopman(a: argparse.Namespace, loaded: config.Config) -> None:
    """Spectra and DSD."""
    settings = config.koopman_settings(loaded)
    run = _run(a, loaded, settings, [_expect(a.latent, "extract")])
    from relax.latent.koopman_stage import analyse

    analyse(settings, a.latent, a.out, run)


def overlap(a: argparse.Namespace, loaded: config.Config) -> None:
    """Benchmark problems in the training set."""
    settings = config.overlap_settings(loaded)
    run = _run(a, loaded, settings, [a.train, a.test, *config.local_files(settings)])
    from relax.evaluation.overlap_stage import overlap_stage

    overlap_stage(settings, a.train, a.test, a.out, run)


def generate(a: argparse.Namespace, loaded: config.Config) -> None:
    """Responses of a policy to every benchmark."""
    settings = config.generate_settings(loaded)
    run = _run(a, loaded, settings, [a.model, a.data, *config.local_files(settings)])
    from relax.evaluation.generate_stage import generate

    generate(settings, a.model, a.data, a.out, run, _label(a), a.part)


def grade(a: argparse.Namespace, loaded: config.Config) -> None:
    """Grades of kept responses."""
    from relax.evaluation.grade_stage import grade_stage

    grade_stage(a.responses, a.out, _run(a, loaded, {}, [_expect(a.responses, "generate")]), _label(a))


def evaluate(a: argparse.Namespace, loaded: config.Config) -> None:
    """Scores from grades; with ``--regrade`` the grades are made first."""
    from relax.evaluation.evaluate_stage import score_stage

    if a.regrade:
        from relax.evaluation.grade_stage import grade_stage

        regraded = _run(a, loaded, {}, [_expect(a.regrade, "generate")], "grade")
        grade_stage(a.regrade, a.grades, regraded, _label(a))
    settings = config.evaluate_settings(loaded)
    score_stage(settings, a.grades, a.out, _run(a, loaded, settings, [_expect(a.grades, "grade")]))


def tables(a: argparse.Namespace) -> int:
    """Tables and findings, from a results folder or from what MLflow holds of one."""
    if a.from_mlflow is None:
        if a.configfile is None or a.root is None:
            raise ConfigError("name --configfile and --root, or --from-mlflow; see relax tables --help.")
        if a.experiment is not None:
            raise ConfigError("--experiment belongs to --from-mlflow; a configuration has its own name.")
        _tables(a, config.load(a.configfile))
        return 0
    if a.configfile is not None or a.root is not None:
        raise ConfigError("--from-mlflow brings its own configuration and results; leave --configfile and --root out.")
    from relax.records.record import masked
    from relax.store.restore import restore

    with tempfile.TemporaryDirectory() as folder:
        loaded, a.root = restore(a.from_mlflow, a.experiment, folder)
        try:
            _tables(a, loaded)
        except DataError as error:
            said = str(error).replace(f"{folder}/", "")
            raise DataError(f"{masked(a.from_mlflow)}: {said} Then `relax track` brings it to the store.") from error
    return 0


def _tables(a: argparse.Namespace, loaded: config.Config) -> None:
    run = _run(a, loaded, config.results_settings(loaded), [])
    from relax.files import atomic_write
    from relax.paper import claims
    from relax.results import findings
    from relax.results.claims.runs import evaluate
    from relax.results.tables.all import write_tables

    results = _collected(a, loaded, run)
    written = write_tables(results, a.out)
    content = evaluate(results) | ({"fault": results.fault} if results.fault else {})
    below = f"\n{results.fault}\n" if results.fault else ""
    texts = {
        "findings.md": findings.to_markdown(findings.findings(results)) + below,
        "claims.md": claims.to_markdown(claims.read_claims(), {content["name"]: content}) + below,
        claims.CONTENT: json.dumps(content, indent=1, ensure_ascii=False) + "\n",
    }
    for name, text in texts.items():
        atomic_write(a.out / name, text)
    run.finish(a.out, [*written, *(a.out / name for name in texts)])


def figures(a: argparse.Namespace, loaded: config.Config) -> None:
    """Figures."""
    run = _run(a, loaded, config.results_settings(loaded), [])
    from relax.results.figures.all import write_figures

    figures = write_figures(_collected(a, loaded, run), a.out)
    run.finish(a.out, [a.out / "figures.json", *(path for figure in figures for path in (figure.svg, figure.png))])


def report(a: argparse.Namespace, loaded: config.Config) -> None:
    """The report, its pages and its record."""
    run = _run(a, loaded, config.results_settings(loaded), [a.figures])
    from relax.records.record import shareable
    from relax.results.figures.all import read_figures
    from relax.results.report.page import write_pages, write_report
    from relax.results.tables.all import build_tables
    from relax.results.tables.paper_tables import compares, paper_tables

    results = _collected(a, loaded, run)
    tables, figures = build_tables(results), read_figures(a.figures)
    paper = paper_tables(results) if compares(results) else []
    pages = write_pages([*tables, *paper], figures, a.pages)
    write_report(results, shareable(loaded), tables, figures, a.out, loaded["limits"], paper)
    run.finish(a.pages, [a.out, *pages])


def track(a: argparse.Namespace, loaded: config.Config) -> None:
    """Export to MLflow."""
    from relax.config.tracking_uri import uri_fault
    from relax.files import atomic_write
    from relax.store.export import export

    if a.uri and (fault := uri_fault(a.uri)):
        raise ConfigError(f"--uri {fault}, or leave it out for mlflow.db in the results folder.")
    uri = a.uri or loaded["tracking"]["uri"] or f"sqlite:///{a.root.as_posix()}/mlflow.db"
    counts = export(a.root, loaded, uri)
    atomic_write(a.out, json.dumps(counts) + "\n")
    logger.info("track: %s", ", ".join(f"{n} runs {what}" for what, n in counts.items() if n or what == "added"))


def dsd(a: argparse.Namespace) -> int:
    """Spectra and DSD of any causal language model."""
    from relax.latent.dsd import dsd

    names = ("koopman_dim", "ridge", "samples", "max_response_length", "temperature", "seed", "dtype")
    settings = {name: getattr(a, name) for name in names}
    dsd(settings, a.model, a.prompts, a.responses, a.dictionary, a.out)
    return 0


def audit(a: argparse.Namespace) -> int:
    """What does not follow from the paper's printed numbers."""
    from relax.files import atomic_write
    from relax.paper.audit import audit
    from relax.paper.audit_text import to_markdown, to_page

    found = audit()
    print(to_markdown(found), end="")
    if a.out is not None:
        atomic_write(a.out, to_page(found))
    return 0


def claims(a: argparse.Namespace) -> int:
    """The paper's claims, and what the reference runs show of them."""
    from relax.files import atomic_write
    from relax.paper.claims import read_claims, read_references, to_markdown, to_page

    found, references = read_claims(), read_references()
    print(to_markdown(found, references), end="")
    if a.out is not None:
        atomic_write(a.out, to_page(found, references))
    return 0


def reference(a: argparse.Namespace) -> int:
    """What is tracked of a finished run."""
    from relax.records.reference import changed_records, make_reference

    written = make_reference(a.root, a.out)
    logger.info("reference: %d files in %s; `relax claims --out docs/claims.md` takes them up", len(written), a.out)
    if changed := changed_records(a.out):
        logger.warning("reference: %d records were made with uncommitted changes: %s", len(changed), ", ".join(changed))
    return 0


def evidence(a: argparse.Namespace) -> int:
    """What the tracked runs of the study show."""
    from relax.files import atomic_write, of_the_clone
    from relax.study.evidence_page import configurations, to_page, tuning_plan
    from relax.study.plan import Study
    from relax.study.tracked_runs import collect_records, read_records

    a.records = a.records or of_the_clone("results/reference/study")
    if a.out and a.out.is_dir():
        raise ConfigError(f"--out {a.out} is a folder; expected a file such as docs/evidence.md.")
    if not a.collect and not a.records.is_dir():
        raise DataError(f"--records {a.records}: no such folder; expected tracked runs as --collect makes them.")
    if a.collect:
        counts = collect_records(a.collect, a.records)
        logger.info("evidence: %s in %s", ", ".join(f"{n} runs {what}" for what, n in counts.items()), a.records)
    (main, controls), records = configurations(a.configfile), read_records(a.records)
    page = to_page(
        main, controls, records, a.out.stem if a.out else "evidence", None if a.configfile else tuning_plan()
    )
    if a.out is None:
        print(page, end="")
        return 0
    if (study := Study.of(main, records)).seeds:
        from relax.study.escape_figures import write_pictures

        write_pictures(study, a.out.parent / "images", a.out.stem)
    atomic_write(a.out, page)
    return 0


def doctor(a: argparse.Namespace) -> int:
    """Findings about this machine, or cluster."""
    from relax.cluster.doctor import doctor

    return doctor(a.configfile, a.slurm)


def cost(a: argparse.Namespace) -> int:
    """What an experiment takes, before it is submitted."""
    from relax.cluster.cost import cost

    print(cost(a.configfile, a.gpus, a.jobs))
    return 0


def why(a: argparse.Namespace) -> int:
    """The chain of records behind a result."""
    from relax.records.why import why

    text, faults = why(a.path, {name: getattr(a, name) for name in ("policy", "method", "seed", "benchmark")})
    print(text)
    return DataError.exit_code if faults else 0
