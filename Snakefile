# The entry point: `snakemake` here runs the demo. An included file's default target does not count,
# so it is named again.
include: "workflow/Snakefile"


workflow.default_target = "all"
