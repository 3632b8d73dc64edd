# Tables, figures, the report, MLflow: everything from the run records.

MEASURED = settings.measured_policies(CONFIG)
RECORDS = [
    f"{ROOT}/overlap/run.json",
    *expand(
        f"{ROOT}/dictionary/{{policy}}{{own}}/run.json",
        policy=dict.fromkeys(settings.frame_of(CONFIG, policy) for policy in MEASURED),
        own=sorted({"", *map(own_dictionary, MATRIX.methods)}),
    ),
    *expand(
        f"{ROOT}/train/{{policy}}/{{method}}/seed-{{seed}}/run.json",
        policy=MATRIX.policies,
        method=MATRIX.methods,
        seed=MATRIX.seeds,
    ),
    *initial_and_trained(f"{ROOT}/koopman/{{policy}}/{{method}}/seed-{{seed}}/run.json", MEASURED),
    *[
        path
        for name in MATRIX.benchmarks
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
            caption="../report/numbers.rst",
            category="4. Numbers",
            labels={"file": "final policies"},
        ),
        report(
            f"{ROOT}/tables/differences.csv",
            caption="../report/numbers.rst",
            category="4. Numbers",
            labels={"file": "differences from GRPO"},
        ),
        report(
            f"{ROOT}/tables/runs.csv",
            caption="../report/numbers.rst",
            category="4. Numbers",
            labels={"file": "one row per run"},
        ),
    log:
        f"{ROOT}/logs/tables.log",
    benchmark:
        f"{ROOT}/timings/tables.tsv"
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
        f"{ROOT}/timings/figures.tsv"
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
        page=report(
            f"{ROOT}/report.html",
            caption="../report/report.rst",
            category="1. Report",
            labels={"page": "the whole report"},
        ),
        # Pages for Snakemake's own report: as many as there are tables and figures.
        tables=report(
            directory(f"{ROOT}/report/tables"),
            patterns=["{page}.html"],
            caption="../report/table.rst",
            category="2. Tables",
            labels=page_label,
        ),
        figures=report(
            directory(f"{ROOT}/report/figures"),
            patterns=["{page}.html"],
            caption="../report/figure.rst",
            category="3. Figures",
            labels=page_label,
        ),
        record=f"{ROOT}/report/run.json",
    log:
        f"{ROOT}/logs/report.log",
    benchmark:
        f"{ROOT}/timings/report.tsv"
    params:
        config=configfiles,
        root=results_folder,
        figures=subpath(input.figures, parent=True),
        pages=subpath(output.record, parent=True),
        settings=results_settings,
    message:
        "report"
    shell:
        "relax report --configfile {params.config} --root {params.root:q} --figures {params.figures:q}"
        " --pages {params.pages:q} --out {output.page:q} --log {log:q}"


# The store itself is no output: Snakemake would delete it before an export that only adds to it.
rule track:
    input:
        RECORDS,
        f"{ROOT}/tables/run.json",
        f"{ROOT}/figures/run.json",
        f"{ROOT}/report/run.json",
    output:
        f"{ROOT}/track.json",
    log:
        f"{ROOT}/logs/track.log",
    benchmark:
        f"{ROOT}/timings/track.tsv"
    params:
        config=configfiles,
        root=results_folder,
        server=server_option,
        settings=tracking_settings,
    message:
        "MLflow"
    shell:
        "relax track --configfile {params.config} --root {params.root:q}{params.server} --out {output:q} --log {log:q}"
