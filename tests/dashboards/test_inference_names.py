"""The names of the servers' metrics, and how they are put into queries."""

from __future__ import annotations

from dashboards.build import inference_joins as joins
from dashboards.build.inference_names import ENGINES, Metric


def test_every_server_that_teams_run_is_known() -> None:
    expected = {"vLLM", "SGLang", "TGI", "Triton", "TensorRT-LLM", "llama.cpp"}
    assert {engine.name for engine in ENGINES} == expected


def test_no_metric_speaks_for_two_servers() -> None:
    """It would be counted twice."""
    used = [
        metric.name
        for engine in ENGINES
        for metric in (engine.output, engine.prompt, engine.requests, engine.running)
        if metric is not None
    ]
    assert sorted(set(used)) == sorted(used)


def test_amounts_are_counters_and_work_is_a_gauge() -> None:
    """A rate of a gauge is a number without a meaning."""
    counters = {
        metric.name
        for engine in ENGINES
        for metric in (engine.output, engine.prompt, engine.requests)
        if metric is not None
    }
    without_suffix = {name for name in counters if not name.endswith(("_total", "_sum", "_count"))}
    assert without_suffix == {"tgi_request_success", "nv_inference_request_success"}
    assert not any(engine.running.name.endswith(("_total", "_sum", "_count")) for engine in ENGINES if engine.running)


def test_a_server_that_tells_tokens_tells_both_kinds() -> None:
    """J per token of a prompt-heavy server looks absurd on output tokens alone: both are shown."""
    assert all((engine.output is None) == (engine.prompt is None) for engine in ENGINES)


def test_a_metric_is_narrowed_by_cluster_and_its_own_matchers() -> None:
    assert Metric("x_total").selector == 'x_total{cluster=~"$cluster"}'
    assert Metric("x", 'kind="a"').over("rate", "5m") == 'rate(x{cluster=~"$cluster",kind="a"}[5m])'


def test_a_metric_gives_way_where_a_better_one_is_on_the_same_target() -> None:
    """Triton counts each step of an ensemble as a request; its TensorRT-LLM backend counts answers."""
    assert Metric("x_total", unless="y_total").over("rate", "5m") == (
        '(rate(x_total{cluster=~"$cluster"}[5m]) unless on (cluster,job,instance) y_total{cluster=~"$cluster"})'
    )


def test_each_server_has_its_row_in_each_query() -> None:
    for engine in ENGINES:
        for metric, query in (
            (engine.output, joins.outputs("rate", joins.STEP)),
            (engine.prompt, joins.prompts("rate", joins.STEP)),
            (engine.requests, joins.requests("rate", joins.STEP)),
            (engine.running, joins.told()),
        ):
            assert metric is None or metric.selector in query
