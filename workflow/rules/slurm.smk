# Helpers for runs on Slurm; no rules.
import asyncio
import atexit
import signal

from relax.cluster import slurm
from relax.cluster.preflight import refuse_faults

# Asked before the jobs are planned: a job that ends in between would be planned again.
EARLIER = slurm.earlier_jobs(Path(ROOT)) if is_main_process() else None


def prepare_slurm():
    """Before the first job of a main process: nobody else's jobs alive, nothing that the cluster would refuse."""
    if EARLIER:
        refuse(EARLIER)
    if workflow.executor_plugin.name == "slurm":
        try:
            SITE.refuse_unset()
            refuse_faults(CONFIG, SITE)
        except RelaxError as error:
            refuse(error)
        # The plugin's name for this run, and of all its jobs in Slurm.
        slurm.remember_run(Path(ROOT), workflow.scheduler._executor.run_uuid)


def note_finished_jobs():
    """A job writes down by itself with what settings it has ended, as its main process may be dead by then. Without
    that note Snakemake would keep the outputs when a setting changes, or, with an older note, make them again."""
    workflow.workflow_settings.exec_mode = type(workflow.exec_mode).DEFAULT
    for job in workflow.dag.needrun_jobs(exclude_finished=False):
        if workflow.dag.finished(job):
            asyncio.run(workflow.persistence.finished(job))


if not is_main_process():
    atexit.register(note_finished_jobs)
    # Slurm's warning before the time limit reaches every process of a job. It is meant for the training, which listens;
    # the Snakemake around it would die of it and take the training along. Programs inherit that it is ignored.
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
