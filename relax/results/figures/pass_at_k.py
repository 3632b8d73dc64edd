"""Figures of the benchmarks."""

from relax.results.figures.captions import named, runs_shown
from relax.results.figures.style import THICK, Drawing, legend, look, panels
from relax.results.model import INITIAL, Results


def pass_at_k_figure(results: Results, policy: str) -> Drawing | None:
    """pass@k of the final policies on every benchmark with several samples per problem."""
    scores = results.scores[(results.scores.policy == policy) & results.scores.metric.str.startswith("pass@")]
    scores = scores.assign(k=scores.metric.str.removeprefix("pass@").astype(int))
    names = [n for n in results.matrix.benchmarks if scores[scores.benchmark == n].k.nunique() > 1]
    if not names:
        return None
    columns = min(3, len(names))
    canvas, grid = panels(-(-len(names) // columns), columns, 2.6)
    axes, methods = [ax for row in grid for ax in row], results.matrix.methods
    drawn: list[str] = []
    for ax, name in zip(axes, names, strict=False):
        found = scores[scores.benchmark == name]
        for method in (INITIAL, *methods):
            own, style = found[found.method == method], look(method, methods)
            if own.empty:
                continue
            drawn += [method] if method not in drawn else []
            for _, run in own.groupby("seed"):
                run = run.sort_values("k")
                ax.plot(run.k, run.value, color=style["color"], linewidth=0.6, alpha=0.45)
            mean = own.groupby("k").value.mean()
            ax.plot(mean.index, mean, **THICK, **style)
        ks = sorted(found.k.unique())
        ax.set_xscale("log", base=2)
        ax.set_xticks(ks, [str(k) for k in ks])
        ax.set(xlabel="k samples", ylabel="pass@k", title=name)
    for ax in axes[len(names) :]:
        ax.set_axis_off()
    legend(canvas, drawn, methods)
    sizes = ", ".join(f"{name}: {results.problems_of(name)}" for name in names)
    caption = (
        f"Share of problems solved by at least one of k samples ({sizes}; unbiased estimate). "
        f"{runs_shown(results, policy)} Thin: each seed; thick: mean over seeds. Where a curve is at 1 for every "
        "method the benchmark cannot tell them apart."
    )
    return Drawing(named(results, policy, "pass_at_k"), "pass@k of the final policies", caption, canvas)
