# Read by the shell of every Slurm job, outside of any container, before Snakemake starts in it.
# A training that stopped safely, for its time limit or as it is preempted, leaves a file and a failed job. It asks for
# its place in the queue again: same job number, nothing of the profile's retries used up. A cancelled job is not
# running any more, and stays cancelled.
export RELAX_STOPPED="$PWD/.snakemake/stopped-$SLURM_JOB_ID"
rm -f "$RELAX_STOPPED"
back_to_the_queue() {
  [ -e "$RELAX_STOPPED" ] || return 0
  rm -f "$RELAX_STOPPED"
  [ "$(squeue --noheader --jobs="$SLURM_JOB_ID" --format=%T)" != RUNNING ] ||
    { scontrol requeue "$SLURM_JOB_ID" && sleep 120; }
}
trap : TERM
trap back_to_the_queue EXIT
