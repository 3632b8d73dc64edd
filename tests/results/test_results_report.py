"""Findings and the report: they say what the runs say, no more, whichever way it went."""

import base64
import json
import re
import shutil
from html.parser import HTMLParser

import pytest

from relax.paper.claims import read_claims
from relax.results.claims.runs import judge_claims
from relax.results.collect import collect
from relax.results.figures.style import Figure
from relax.results.findings import Finding, findings
from relax.results.report.page import write_pages, write_report
from relax.results.tables.all import build_tables
from relax.results.tables.render import Column, Table
from tests.results.results_fixture import config_of


def sentence(found, *words):
    """The only finding that starts with the first of the words and has the others."""
    first, *others = words
    fitting = [f for f in found if f.text.startswith(first) and all(word in f.text for word in others)]
    assert len(fitting) == 1, [finding.text for finding in fitting]
    return fitting[0]


@pytest.fixture
def changed(all_runs, tmp_path):
    """Results in which a final training metric of some runs has been set: {(method, seed): value}."""

    def change(metric, values):
        root, config = all_runs
        copy = tmp_path / metric.replace("/", "-")
        shutil.copytree(root, copy)
        for (method, seed), value in values.items():
            path = copy / f"train/tiny/{method}/seed-{seed}/run.json"
            record = json.loads(path.read_text())
            record["metrics"][metric] = value
            path.write_text(json.dumps(record))
        return findings(collect(copy, config))

    return change


def test_a_fall_has_numbers_interval_and_seeds(all_runs):
    results = collect(*all_runs)
    found = sentence(findings(results), "Under grpo, token entropy (nats")
    start, end = (results.summary("tiny", method, "train/entropy").mean for method in ("initial", "grpo"))
    assert found.verdict == "fell"
    assert f"token entropy (nats, training rollouts) fell from {start:.3g} to {end:.3g}. " in found.text
    assert f"The difference is \N{MINUS SIGN}{start - end:.2g}, with the 95 % interval [" in found.text
    assert found.text.endswith("] over n = 2 seeds.")


def test_the_verdict_goes_either_way(changed):
    rose = changed("entropy", {("grpo", 1): 0.90, ("grpo", 2): 0.91})
    assert sentence(rose, "Under grpo, token entropy (nats").verdict == "rose"
    assert "a rise in token entropy" in sentence(rose, "Under grpo, there is ").text
    unclear = changed("reward", {("grpo", 1): 0.2, ("grpo", 2): 0.9})
    assert sentence(unclear, "Under grpo, reward (").verdict == "no clear change"


def test_arms_are_compared_in_words_of_difference(changed):
    base = {("grpo", 1): 0.100, ("grpo", 2): 0.101}
    found = changed(
        "entropy",
        base | {("relax", 1): 0.200, ("relax", 2): 0.202, ("relax-sv", 1): 0.05, ("relax-sv", 2): 0.052},
    )
    assert sentence(found, "Under relax, token entropy is higher than under grpo (").verdict == "higher"
    assert sentence(found, "Under relax-sv, token entropy is lower than under grpo (").verdict == "lower"


@pytest.mark.parametrize(
    ("control", "words"),
    [(0.100, "is also higher than under grpo-kl, which"), (0.200, "A KL term alone may account for the gain.")],
)
def test_the_kl_control_decides_the_reading(changed, control, words):
    values = {("grpo", 1): 0.100, ("grpo", 2): 0.101, ("relax", 1): 0.200, ("relax", 2): 0.202}
    found = changed("entropy", values | {("grpo-kl", 1): control, ("grpo-kl", 2): control + 0.0015})
    kl = [f for f in found if f.question == "Does the KL term alone explain it?"]
    drawn = [f for f in kl if not f.verdict]
    assert words in sentence(drawn, "Under relax, ").text


def test_a_gain_that_only_the_trained_on_measure_sees_is_named(all_runs):
    found = findings(collect(*all_runs))
    assert sentence(found, "Under relax, DSD", "which training rewards").verdict == "higher"
    assert sentence(found, "Under relax, DSD", "(on-policy, ridge 0.1) is").verdict == "no clear difference"
    text = sentence(found, "relax is trained on DSD of eigenvalues. ").text
    assert "The measure that training rewards is clearly higher than under grpo." in text
    assert "DSD is clearly higher by no other measure." in text
    assert "does not prove absence" in text


def test_every_dsd_sentence_names_its_spectrum(all_runs):
    for finding in findings(collect(*all_runs)):
        if "DSD of" in finding.text:
            assert re.search(r"DSD of (eigenvalues|singular values)", finding.text), finding.text
            if finding.verdict and "random order" not in finding.text:
                assert re.search(r"ridge 0\.(001|1)\b", finding.text), finding.text


def test_the_arm_without_kl_stands_against_grpo(all_runs):
    found = findings(collect(*all_runs))
    text = sentence(found, "relax-sv-no-kl has a DSD term and no KL term. Under relax-sv-no-kl, ").text
    assert text.endswith("higher than under grpo.")
    of_arm = [finding.text for finding in found if finding.text.startswith("Under relax-sv-no-kl, ")]
    assert len(of_arm) > 3
    assert not any("under grpo-kl" in text for text in of_arm)


def test_one_seed_claims_nothing(one_seed):
    found = findings(collect(*one_seed))
    assert {finding.verdict for finding in found} == {"", "no interval", "not run"}
    assert "n = 1 seed, which gives no interval" in sentence(found, "Under grpo, token entropy (nats").text
    assert "95 %" not in " ".join(finding.text for finding in found)
    assert Finding("Does ReLaX raise DSD against GRPO?", "not run", "relax-sv-no-kl has no finished run.") in found


def test_no_runs_are_said_for_every_question(no_runs, all_runs):
    found = findings(collect(*no_runs))
    assert {finding.verdict for finding in found} == {"", "not run"}
    questions = {finding.question for finding in findings(collect(*all_runs))}
    assert {finding.question for finding in found} == questions


def test_a_control_that_was_not_asked_for(all_runs):
    root, config = all_runs
    matrix = config["matrix"] | {"methods": ["grpo", "relax"]}
    found = findings(collect(root, config | {"matrix": matrix}))
    assert sentence(found, "grpo-kl (", "was not asked for").verdict == "not run"


class Page(HTMLParser):
    """Collects tags, attributes and text; complains about tags that do not close."""

    VOID = ("meta", "img", "br", "link", "hr")

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.text = [], [], ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def report(folder, out, **options):
    """The page, parsed, with two small pictures in place of the drawn ones."""
    root, config = folder
    results = collect(root, config)
    svg = out / "picture.svg"
    out.mkdir(exist_ok=True)
    svg.write_text('<svg xmlns="http://www.w3.org/2000/svg" width="345.6pt" height="72pt" version="1.1"/>')
    figures = [
        Figure("dsd", "Title of dsd", "Caption of dsd.", svg, svg, paper="Figure 8"),
        Figure("training", "Title of training", "Caption of training.", svg, svg),
    ]
    figures = figures if results.records else []
    path = write_report(results, config, build_tables(results), figures, out / "report.html", **options)
    return Page(path.read_text())


@pytest.fixture(scope="module")
def page(all_runs, tmp_path_factory):
    return report(all_runs, tmp_path_factory.mktemp("report"), limits=["A tiny policy & short answers."])


def test_the_page_holds_everything_it_shows(page):
    links = [value for _, given in page.tags for key, value in given.items() if key in ("src", "href")]
    assert [link for link in links if not link.startswith(("#", "data:"))] == []
    assert page.all("script") == page.all("link") == []
    images = page.all("img")
    opening = ["Reward, entropy and DSD", "Accuracy"]
    assert [image["alt"] for image in images] == [*opening, "Title of dsd", "Title of training"]
    assert [image["style"] for image in images[2:]] == ["--width: 4.80in"] * 2
    kind, _, content = images[2]["src"].partition(",")
    assert kind == "data:image/svg+xml;base64"
    assert base64.b64decode(content).startswith(b"<svg ")
    assert "Caption of dsd." in page.text


def test_the_page_has_charset_title_and_anchors(page):
    assert page.all("meta")[0] == {"charset": "utf-8"}
    assert "ReLaX results: synthetic" in page.text
    ids = [given["id"] for _, given in page.tags if "id" in given]
    assert len(set(ids)) == len(ids)
    assert {link["href"][1:] for link in page.all("a")} <= set(ids)


def test_the_page_says_what_was_run_and_on_what(page, all_runs):
    said = [
        "10 of 10 training runs and 22 of 22 evaluations are finished.",
        "5e4d" * 10,
        "Linux-synthetic",
        "2.13.0",
    ]
    said += ["A tiny policy & short answers.", "relax-sv-no-kl", "prompts_per_step: 32"]
    assert [words for words in said if words not in page.text] == []
    results = collect(*all_runs)
    assert all(finding.text in page.text for finding in findings(results))
    assert all(table.caption in page.text for table in build_tables(results))
    assert page.text.count("2026-01-01 00:00:00") == len(results.records)


def test_records_that_disagree_are_counted(all_runs, tmp_path):
    root, config = all_runs
    copy = shutil.copytree(root, tmp_path / "synthetic")
    path = copy / "data/run.json"
    record = json.loads(path.read_text())
    record["git"] = {"commit": "f" * 40, "dirty": True}
    path.write_text(json.dumps(record))
    text = report((copy, config), tmp_path).text
    assert f"{'5e4d' * 10} (78 records), {'f' * 40} (1 records)" in text
    assert "no (78 records), yes (1 records)" in text


def test_a_page_of_one_seed_and_of_nothing(one_seed, no_runs, tmp_path):
    assert "3 of 10 training runs and 8 of 22 evaluations are finished." in report(one_seed, tmp_path / "one").text
    text = report(no_runs, tmp_path / "none").text
    assert "0 of 10 training runs and 0 of 22 evaluations are finished." in text
    assert "No run has finished that a figure could show." in text


def test_runs_outside_the_matrix_are_named(all_runs, tmp_path):
    text = report((all_runs[0], config_of(seeds=[1])), tmp_path).text
    assert "train/tiny/grpo/seed-2" in text
    assert "the configuration does not ask for" in text


def test_the_settings_of_the_runs_are_listed(page):
    said = ["tiny", "alpha 0.1, spectrum eigenvalues, kl_mode adaptive, beta 0.01, xi q90 (here 0.21)", "the baseline",
            "60 steps, 32 prompts a step, 8 responses a prompt", "100 problems, one greedy response each",
            "2026-01-01 00:00 to 2026-01-01 00:00 UTC", "no GPU; 900 MB in the largest process",
            "2 processors, no accelerator"]  # fmt: skip
    settings = page.text[page.text.index("\nSettings\n") : page.text.index("\nMachine and versions\n")]
    assert [words for words in said if words not in settings] == []


def test_the_page_has_every_claim_with_command_cost_status_and_numbers(page, all_runs):
    content = judge_claims(collect(*all_runs))["claims"]
    for claim in read_claims():
        found = content[claim.id]
        assert page.text.count(claim.claim) == 2  # in the table and above the numbers
        assert claim.shown_by in page.text
        assert claim.command in page.text
        for outcome in found["outcomes"]:
            assert all(part["text"] in page.text for part in outcome["parts"])
    table = page.text[page.text.index("claim, in our words") :]
    assert re.search(r"at a higher reward than GRPO\.\s*partly\s*Figs\. 3 and 8\s*0\.\d+ CPU h\s*make demo", table)
    assert re.search(r"Table 1\s*\N{EN DASH}\s*snakemake --profile slurm --configfile config/paper_multi", table)


def test_settings_stand_beside_the_papers(page):
    text = page.text[page.text.index("Settings that are not the paper's") :]
    assert re.search(r"rollouts per prompt\s*16\s*8\s*Table 3", text)
    assert re.search(r"xi\s*10\s*q90\s*Table 3", text)
    assert re.search(r"learning rate\s*1e-6\s*not given", text)


def test_a_figure_names_the_papers(page):
    assert "Answers Figure 8 of the paper. Caption of dsd." in page.text
    assert page.text.count("of the paper. Caption") == 1


def test_tables_of_the_paper_have_a_place(page, all_runs, tmp_path):
    nothing = "No policy of this configuration stands for one of the paper's"
    assert nothing in page.text
    table = Table("table-2", "Table 2", "As printed and here.", (Column("a", "a"),), ({"a": "51.2"},))
    text = report(all_runs, tmp_path, paper_tables=[table]).text
    assert "As printed and here." in text


def test_what_a_configuration_says_is_text_not_markup(all_runs, tmp_path):
    root, config = all_runs
    bad = "<script>alert('&')</script>"
    page = report((root, config | {"name": bad}), tmp_path, limits=[bad])
    assert page.all("script") == []
    assert page.text.count(bad) > 2


def test_every_table_and_figure_has_a_page_of_its_own(all_runs, tmp_path):
    tables = build_tables(collect(*all_runs))
    svg = tmp_path / "dsd.svg"
    svg.write_text('<svg xmlns="http://www.w3.org/2000/svg" width="72pt" height="72pt"/>')
    figures = [Figure("dsd", "DSD & more", "Caption <of> it.", svg, svg)]
    out = tmp_path / "report"
    (out / "tables").mkdir(parents=True)
    (out / "tables" / "99-old.html").write_text("from another configuration")
    assert write_pages(tables, figures, out) == [out / "tables", out / "figures"]
    names = [path.name for path in sorted((out / "tables").iterdir())]
    assert names == [f"{number:02d}-{table.name}.html" for number, table in enumerate(tables, 1)]
    for path, table in zip(sorted((out / "tables").iterdir()), tables, strict=True):
        page = Page(path.read_text())
        assert table.caption in page.text
        assert len(page.all("table")) == 1
        assert page.all("nav") == page.all("script") == []
    text = (out / "figures" / "01-dsd.html").read_text()
    assert "<title>DSD &amp; more</title>" in text
    assert "Caption <of> it." in Page(text).text
