"""The verbs that analyse without a pipeline: a model's DSD, the paper's numbers and claims, the study's evidence."""

import argparse
import logging
from collections.abc import Callable
from pathlib import Path

from relax.cli.verb import OPTIONS, Verb, above_zero, add_configfile, at_least_zero, whole
from relax.errors import ConfigError, DataError

logger = logging.getLogger("relax")


def run_dsd(a: argparse.Namespace) -> None:
    """Spectra and DSD of any causal language model."""
    from relax.latent.dsd import analyse_model

    names = ("koopman_dim", "position", "ridge", "samples", "max_response_length", "temperature", "seed", "dtype")
    settings = {name: getattr(a, name) for name in (*names, "chat")}
    analyse_model(settings, a.model, a.prompts, a.responses, a.dictionary, a.out)


def add_dsd(parser: argparse.ArgumentParser) -> None:
    """The options of ``dsd``."""

    def number(name: str, kind: Callable[[str], float], default: float | None, text: str) -> None:
        parser.add_argument(f"--{name}", type=kind, default=default, metavar="N", help=text)

    parser.add_argument("--model", required=True, metavar="PATH_OR_NAME", help="folder, or name in the local hub cache")
    text = 'JSON lines with "prompt" (and "id"); with --chat also chat messages'
    parser.add_argument("--prompts", type=Path, required=True, metavar="FILE", help=text)
    text = "write the prompts with the model's chat template; a text is the user's turn"
    parser.add_argument("--chat", action="store_true", help=text)
    text = 'JSON lines with "response" and "id" or "prompt"; nothing is sampled then'
    parser.add_argument("--responses", type=Path, metavar="FILE", help=text)
    text = "dictionary.safetensors; fitted here if not given"
    parser.add_argument("--dictionary", type=Path, metavar="FILE", help=text)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help=OPTIONS["out"][2])
    number("koopman-dim", whole(2), None, "functions m of the dictionary (50, or those of --dictionary)")
    text = "states of a response: at its tokens, one to the left, or at its tokens without the one that ended it"
    parser.add_argument("--position", choices=("response", "predicting", "text"), help=text)
    number("ridge", at_least_zero, 1e-3, "ridge added to the Gram matrix (0.001)")
    number("samples", whole(1), 1, "responses sampled per prompt (1)")
    number("max-response-length", whole(2), 512, "tokens of a sampled response (512, or what fits the context)")
    number("temperature", above_zero, 1.0, "temperature of sampling (1.0)")
    number("seed", whole(0), 0, "seed of sampling, fit and shuffling (0)")
    text = "number format of the weights; auto is that of the checkpoint"
    parser.add_argument("--dtype", choices=("auto", "float32", "bfloat16"), default="auto", help=text)


def run_audit(a: argparse.Namespace) -> None:
    """What does not follow from the paper's printed numbers."""
    from relax.files import atomic_write
    from relax.paper.audit import audit
    from relax.paper.audit_text import to_markdown, to_page

    found = audit()
    print(to_markdown(found), end="")
    if a.out is not None:
        atomic_write(a.out, to_page(found))


def run_claims(a: argparse.Namespace) -> None:
    """The paper's claims, and what the reference runs show of them."""
    from relax.files import atomic_write
    from relax.paper.claims import read_claims, read_references, to_markdown, to_page

    found, references = read_claims(), read_references()
    print(to_markdown(found, references), end="")
    if a.out is not None:
        atomic_write(a.out, to_page(found, references))


def add_page(parser: argparse.ArgumentParser) -> None:
    """The option of ``audit`` and ``claims``."""
    parser.add_argument("--out", type=Path, metavar="FILE", help="write it to this file as well, as Markdown")


def run_evidence(a: argparse.Namespace) -> None:
    """What the tracked runs of the study show."""
    from relax.files import atomic_write, of_the_clone
    from relax.study.configurations import addition_plan, configurations, tuning_plan
    from relax.study.evidence_page import to_page
    from relax.study.plan import Study
    from relax.study.tracked_runs import collect_records, read_records

    tracked = a.records or of_the_clone("results/reference/study")
    if a.out and a.out.is_dir():
        raise ConfigError(f"--out {a.out} is a folder; expected a file such as docs/evidence.md.")
    if not a.collect and not tracked.is_dir():
        raise DataError(f"--records {tracked}: no such folder; expected tracked runs as --collect makes them.")
    if a.collect:
        counts = collect_records(a.collect, tracked)
        logger.info("evidence: %s in %s", ", ".join(f"{n} runs {what}" for what, n in counts.items()), tracked)
    (main, controls), records = configurations(a.configfile), read_records(tracked)
    own = a.configfile  # a plan of one's own has neither a tuning nor an addition
    plans = (None, None) if own else (tuning_plan(), addition_plan())
    page = to_page(main, controls, records, a.out.stem if a.out else "evidence", *plans)
    if a.out is None:
        print(page, end="")
        return
    if (study := Study.of(main, records)).seeds:
        from relax.study.escape_figures import write_pictures

        write_pictures(study, a.out.parent / "images", a.out.stem)
    atomic_write(a.out, page)


def add_evidence(parser: argparse.ArgumentParser) -> None:
    """The options of ``evidence``."""
    text = "results folders whose runs are added to those tracked, e.g. results/study"
    parser.add_argument("--collect", type=Path, nargs="+", default=[], metavar="DIR", help=text)
    text = "the tracked runs (results/reference/study of the clone)"
    parser.add_argument("--records", type=Path, metavar="DIR", help=text)
    text = "another plan than config/study.yaml with its controls, over config/config.yaml"
    add_configfile(parser, text, default=[])
    text = "write it to this file, as Markdown, with its figures"
    parser.add_argument("--out", type=Path, metavar="FILE", help=text)


VERBS = (
    Verb(
        "dsd",
        "Compute spectra and DSD of any causal language model's responses, without training.",
        run_dsd,
        more=add_dsd,
        all_cores=True,
    ),
    Verb(
        "audit",
        "Show what does not follow from the paper's own printed numbers, with the arithmetic.",
        run_audit,
        more=add_page,
    ),
    Verb(
        "claims",
        "Show the paper's claims, and what the tracked reference runs show of each.",
        run_claims,
        more=add_page,
    ),
    Verb(
        "evidence",
        "Show what the runs of docs/study.md show, from the tracked ones alone.",
        run_evidence,
        more=add_evidence,
    ),
)
