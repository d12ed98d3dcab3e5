"""``hexward bench NAME``: one benchmark; the last line printed is one JSON object."""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil

import typer

from db.errors import HexwardError

app = typer.Typer(help="运行一项性能测试 / Run one benchmark", add_completion=False)


class UnknownBenchmark(HexwardError):
    """No such benchmark, or no such option of it."""

    code = "cli.bench_unknown"


def names() -> list[str]:
    """Every benchmark there is: the modules of ``benchmarks`` that offer ``run``."""
    import benchmarks

    found = []
    for module in pkgutil.iter_modules(benchmarks.__path__):
        if not module.name.startswith("_"):
            found.append(module.name)
    return sorted(found)


def _options(pairs: list[str], run: object) -> dict[str, object]:
    parameters = inspect.signature(run).parameters  # type: ignore[arg-type]
    chosen: dict[str, object] = {}
    for pair in pairs:
        name, _, value = pair.removeprefix("--").partition("=")
        name = name.replace("-", "_")
        if name not in parameters:
            raise UnknownBenchmark("cli.bench_option", option=name, options=", ".join(parameters))
        try:
            chosen[name] = json.loads(value)
        except ValueError:
            chosen[name] = value
    return chosen


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def bench(context: typer.Context, name: str = typer.Argument("")) -> None:
    """Run benchmark NAME; its own options as --points=1000000 / 运行一项性能测试."""
    known = names()
    if name not in known:
        raise UnknownBenchmark(name=name, names=", ".join(known))
    module = importlib.import_module(f"benchmarks.{name}")
    if not hasattr(module, "run"):
        raise UnknownBenchmark(name=name, names=", ".join(known))
    found = module.run(**_options(list(context.args), module.run))
    typer.echo(json.dumps(found, ensure_ascii=False, default=str))
