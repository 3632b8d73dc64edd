# Helpers; no rules. Only the standard library and light modules of ours: every cluster job parses this again.
import html
import os
import re
import secrets
import shlex
import sys
from functools import cache
from datetime import UTC, datetime
from pathlib import Path

from relax import config as settings
from relax.cluster import local
from relax.cluster.resources import placement, needs
from relax.cluster.site import read_site
from relax.config.command_line import load_with, overlay_file, overlay_of
from relax.records.code import code_of
from relax.errors import MachineError, RelaxError
from relax.files import lock, writable_folder


def is_main_process():
    return workflow.is_main_process


def configuration_files():
    """The files in the order they are merged, as a user would type them: the base first, then overlays."""
    here = Path.cwd()
    given = settings.over_base(Path(path).absolute() for path in workflow.overwrite_configfiles)
    return [path.relative_to(here) if path.is_relative_to(here) else path for path in given]


def load_configuration():
    """The files, the checked configuration and the site; a fault ends the run with one sentence and its exit code."""
    try:
        if is_main_process():
            writable_folder(".snakemake")  # Snakemake's memory, without which it would end in pages of its own
        files = configuration_files()
        if typed := overlay_of(workflow.config_settings.config):
            folder = writable_folder(Path("results") / load_with(files, typed).name)
            files.append(overlay_file(typed, folder))
        loaded = settings.load(files)
        settings.check_results_folder(loaded, Path("results") / loaded.name)
        settings.check_local_files(loaded, files)
        site = read_site()
        for policy in loaded.matrix.policies:
            placement(loaded, policy, site)
        return files, loaded, site
    except RelaxError as error:
        refuse(error)


def refuse(error):
    print(error, file=sys.stderr)
    sys.exit(error.exit_code)


FILES, CONFIG, SITE = load_configuration()
MATRIX = CONFIG.matrix
ROOT = f"results/{CONFIG.name}"


# Of the machine that the jobs share, where they all run on one; a job on a node has that to itself.
MACHINE_MB = local.machine_mb() if is_main_process() and workflow.resource_settings.nodes is None else None
if MACHINE_MB:
    workflow.global_resources["local_mb"] = MACHINE_MB


def one_of(names):
    return "|".join(map(re.escape, names))


wildcard_constraints:
    policy=one_of(MATRIX.policies),
    method=one_of([*MATRIX.methods, "initial"]),
    seed=r"\d+",
    own=r"(-m\d+)?",


def hold_results():
    """One pipeline per results folder. The kernel lets go of the lock when the process dies, however it
    dies, so that nobody has to unlock anything by hand (profiles/default turns Snakemake's own lock off)."""
    global LOCK
    try:
        LOCK = lock(writable_folder(ROOT) / ".lock")
    except BlockingIOError:
        refuse(MachineError(f"{ROOT}: another pipeline works in this folder; wait for it or stop it."))
    except RelaxError as error:
        refuse(error)


def name_pipeline():
    """Jobs inherit these, those that Slurm starts too; `relax` writes them into every run.json."""
    start = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    os.environ.update(
        RELAX_PIPELINE_RUN=f"{start}-{secrets.token_hex(3)}",
        RELAX_PIPELINE_COMMAND=shlex.join(["snakemake", *sys.argv[1:]]),
    )


def tell_time_left():
    """A line for each job that ends, from what Snakemake logs of jobs."""
    jobs = [job.rule.name for job in workflow.dag.needrun_jobs() if not job.is_norun]
    expected = local.reference_seconds(Path("results/reference") / CONFIG.name)
    logger.addHandler(local.Outlook(CONFIG.name, jobs, expected, workflow.cores))


def initial_and_trained(pattern, policies=MATRIX.policies):
    """The pattern for the initial policies (method `initial`, seed 0) and for every trained one."""
    initial = expand(pattern, policy=policies, method="initial", seed=0)
    return initial + [path for seed in MATRIX.seeds for path in of_seed(pattern, seed)]


def of_seed(pattern, seed):
    """The pattern for every policy and method trained with one seed."""
    return expand(pattern, policy=MATRIX.policies, method=MATRIX.methods, seed=seed)


def frame(wildcards):
    """The policy whose dictionary the states of a policy are measured with."""
    return settings.frame_of(CONFIG, wildcards.policy)


def policy_model(wildcards):
    """Folder of the policy: the initial one or a trained one."""
    if wildcards.method == "initial":
        return f"{ROOT}/base/{wildcards.policy}/model"
    return f"{ROOT}/train/{wildcards.policy}/{wildcards.method}/seed-{wildcards.seed}/model"


def common_dictionary(wildcards):
    """The dictionary that the states of a policy, trained or not, are measured with."""
    return f"{ROOT}/dictionary/{frame(wildcards)}/dictionary.safetensors"


def own_dictionary(method):
    """Suffix of the folder of a method's dictionary: nothing, or -m5 where it has one of its own."""
    dimension = settings.own_dimension(CONFIG, method)
    return "" if dimension is None else f"-m{dimension}"


def method_dictionary(wildcards):
    """The dictionary that a method trains with."""
    return f"{ROOT}/dictionary/{frame(wildcards)}{own_dictionary(wildcards.method)}/dictionary.safetensors"


def dimension_option(wildcards):
    return f" --koopman-dim {wildcards.own.removeprefix('-m')}" if wildcards.own else ""


def job(rule):
    """A rule's resources by the configuration's table, for policy and attempt; Slurm jobs are asked for with them."""

    def resource(name):
        return lambda wildcards, attempt: needs(CONFIG, rule, wildcards.policy, attempt, SITE)[name]

    def on_this_machine(wildcards, attempt):
        return local.job_mb(CONFIG, wildcards.policy, resource("mem_mb")(wildcards, 1), MACHINE_MB)

    names = needs(CONFIG, rule, MATRIX.policies[0], 1, SITE)
    asked = {name: resource(name) for name in names}
    return asked | ({"local_mb": on_this_machine} if MACHINE_MB else {})


# Parameters that take `input` do not make Snakemake run a job again when they change: the same
# settings from other files are the same settings.
def configfiles(wildcards, input):
    return shlex.join(map(str, FILES))


def results_folder(wildcards, input):
    return ROOT


# What decides a job besides its files: Snakemake reruns the job when it changes.
def data_settings(wildcards):
    return settings.digest(settings.data_settings(CONFIG))


def base_settings(wildcards):
    """With the sizes and times of the policy's own files: weights are too large to be hashed by every job."""
    own = settings.base_settings(CONFIG, wildcards.policy)
    return " ".join([settings.digest(own), *([settings.local_state(own)] if settings.local_files(own) else [])])


def dictionary_settings(wildcards):
    own = int(wildcards.own.removeprefix("-m")) if wildcards.own else None
    return settings.digest(settings.dictionary_settings(CONFIG, own))


def train_settings(wildcards):
    return settings.digest(settings.train_settings(CONFIG, wildcards.method))


def extract_settings(wildcards):
    return settings.digest(settings.extract_settings(CONFIG))


def koopman_settings(wildcards):
    return settings.digest(settings.koopman_settings(CONFIG))


def generate_settings(wildcards):
    return settings.digest(settings.generate_settings(CONFIG))


def grade_settings(wildcards):
    return settings.digest(settings.grade_settings(CONFIG))


def evaluate_settings(wildcards):
    return settings.digest(settings.evaluate_settings(CONFIG))


def overlap_settings(wildcards):
    return settings.digest(settings.overlap_settings(CONFIG))


def code(verb, stage=None):
    """A rule's code as a parameter: the versions of what decides its numbers."""
    version = cache(lambda: settings.digest(code_of(verb, stage(CONFIG).recorded() if stage else {})))
    return lambda wildcards: version()


def local_files(stage):
    """A rule's input: the files outside the results folder that the configuration names."""
    return lambda wildcards: settings.local_files(stage(CONFIG))


def local_content(stage):
    """A rule's local files as a parameter, by content."""
    return lambda wildcards: settings.local_content(stage(CONFIG))


def policy_files(wildcards):
    """A rule's input: the files that the configuration names of a policy on this machine."""
    return settings.local_files(settings.base_settings(CONFIG, wildcards.policy))


def results_settings(wildcards):
    return settings.digest(settings.results_settings(CONFIG))


def tracking_settings(wildcards):
    # Only its hash: Snakemake keeps parameters, and an address may hold a password.
    return settings.digest(CONFIG.tracking.uri or SITE.mlflow_uri)


def server_option(wildcards, input):
    """The cluster's MLflow server, where the configuration names none."""
    return f" --uri {shlex.quote(SITE.mlflow_uri)}" if SITE.mlflow_uri and not CONFIG.tracking.uri else ""


def checkpoints(wildcards, input):
    """Never a declared output: Snakemake deletes those before it runs a job again."""
    place = f"{SITE.scratch}/{CONFIG.name}" if SITE.scratch else ROOT
    return f"{place}/checkpoints/{wildcards.policy}/{wildcards.method}/seed-{wildcards.seed}"


def page_label(wildcards):
    """Number and title of a page, in Snakemake's own report; read when the pages are there."""
    for kind in ("tables", "figures"):
        path = Path(ROOT) / "report" / kind / f"{wildcards.page}.html"
        if path.is_file():
            title = re.search("<title>(.*?)</title>", path.read_text(encoding="utf-8"))[1]
            return {kind.removesuffix("s"): f"{wildcards.page[:2]} {html.unescape(title)}"}
