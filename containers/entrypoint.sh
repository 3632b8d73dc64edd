#!/bin/sh
# Run the command (by default the demo) as whoever the user is.
mkdir -p /relax/results/.snakemake 2> /dev/null
exec "$@"
