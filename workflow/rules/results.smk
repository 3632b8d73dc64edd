# Tables, figures, the report, MLflow: everything from the run records.

RECORDS = [
    f"{ROOT}/overlap/run.json",
    *expand(f"{ROOT}/dictionary/{{policy}}/run.json", policy=MATRIX["policies"]),
    *expand(
        f"{ROOT}/train/{{policy}}/{{method}}/seed-{{seed}}/run.json",
        policy=MATRIX["policies"],
        method=MATRIX["methods"],
        seed=MATRIX["seeds"],
    ),
    *initial_and_trained(f"{ROOT}/koopman/{{policy}}/{{method}}/seed-{{seed}}/run.json"),
    *[
        path
        for name in MATRIX["benchmarks"]
        for path in initial_and_trained(f"{ROOT}/evaluate/{{policy}}/{{method}}/seed-{{seed}}/{name}/run.json")
    ],
]


rule tables:
    input:
        RECORDS,
    output:
        f"{ROOT}/tables/run.json",
        report(
            f"{ROOT}/tables/final.csv",
            caption="../report/tables.rst",
            category="Tables",
            labels={"table": "final policies"},
        ),
        report(
            f"{ROOT}/tables/differences.csv",
            caption="../report/tables.rst",
            category="Tables",
            labels={"table": "differences from GRPO"},
        ),
    log:
        f"{ROOT}/logs/tables.log",
    benchmark:
        f"{ROOT}/benchmarks/tables.tsv"
    params:
        config=configfiles,
        root=results_folder,
        out=subpath(output[0], parent=True),
        settings=results_settings,
    message:
        "tables"
    shell:
        "relax tables --configfile {params.config} --root {params.root:q} --out {params.out:q} --log {log:q}"


rule figures:
    input:
        RECORDS,
    output:
        f"{ROOT}/figures/run.json",
        f"{ROOT}/figures/figures.json",
    log:
        f"{ROOT}/logs/figures.log",
    benchmark:
        f"{ROOT}/benchmarks/figures.tsv"
    params:
        config=configfiles,
        root=results_folder,
        out=subpath(output[0], parent=True),
        settings=results_settings,
    message:
        "figures"
    shell:
        "relax figures --configfile {params.config} --root {params.root:q} --out {params.out:q} --log {log:q}"


rule report:
    input:
        RECORDS,
        figures=f"{ROOT}/figures/figures.json",
    output:
        report(f"{ROOT}/report.html", caption="../report/report.rst", category="Report"),
    log:
        f"{ROOT}/logs/report.log",
    benchmark:
        f"{ROOT}/benchmarks/report.tsv"
    params:
        config=configfiles,
        root=results_folder,
        figures=subpath(input.figures, parent=True),
        settings=results_settings,
    message:
        "report"
    shell:
        "relax report --configfile {params.config} --root {params.root:q} --figures {params.figures:q}"
        " --out {output:q} --log {log:q}"


# The store itself is no output: Snakemake would delete it before an export that only adds to it.
rule track:
    input:
        RECORDS,
        f"{ROOT}/tables/run.json",
        f"{ROOT}/figures/run.json",
    output:
        f"{ROOT}/track.json",
    log:
        f"{ROOT}/logs/track.log",
    benchmark:
        f"{ROOT}/benchmarks/track.tsv"
    params:
        config=configfiles,
        root=results_folder,
        uri=tracking_settings,
    message:
        "MLflow"
    shell:
        "relax track --configfile {params.config} --root {params.root:q} --uri {params.uri:q} --out {output:q}"
        " --log {log:q}"
