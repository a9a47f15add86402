"""Every implementation there is, one line each, and nothing else. A new part is a file of its own and a line here."""

from __future__ import annotations

from tracker.exports import as_codecarbon, as_csv, as_focus, as_html, as_json, as_parquet, as_xlsx
from tracker.exports.interface import Exporter
from tracker.sources import demo, estimate, nvml, rapl
from tracker.sources.interface import Source
from tracker.workloads import containers, declaring
from tracker.workloads.interface import Resolver
from tracker.workloads.kubernetes import downward
from tracker.workloads.kubernetes import resolver as kubernetes
from tracker.workloads.slurm import resolver as slurm

#: Sources that are used when their hardware is present, with the type of their section ``[sources.<name>]``.
SOURCES: tuple[tuple[type[Source], type], ...] = (
    (nvml.NvmlSource, nvml.Options),
    (rapl.RaplSource, rapl.Options),
    (estimate.EstimateSource, estimate.Options),
)

#: The simulated node of ``wattledger run --demo``: alone, never beside a real source.
DEMO: tuple[type[Source], type] = (demo.DemoSource, demo.Options)

#: What names the workloads of a cluster manager or container engine, asked in this order, with the type of its section
#: ``[workloads.<name>]``.
RESOLVERS: tuple[tuple[type[Resolver], type], ...] = (
    (kubernetes.KubernetesResolver, kubernetes.Options),
    (slurm.SlurmResolver, slurm.Options),
    (containers.EnginesResolver, containers.Options),
)

#: What names the own pod of a sidecar; used with ``workloads.own_only``, before the others.
SIDECAR: tuple[type[downward.DownwardResolver], type] = (downward.DownwardResolver, downward.Options)

#: Formats of a statement, by what ``--format`` takes.
EXPORTS: dict[str, type[Exporter]] = {
    as_csv.CsvExporter.name: as_csv.CsvExporter,
    as_xlsx.XlsxExporter.name: as_xlsx.XlsxExporter,
    as_json.JsonExporter.name: as_json.JsonExporter,
    as_parquet.ParquetExporter.name: as_parquet.ParquetExporter,
    as_html.HtmlExporter.name: as_html.HtmlExporter,
    as_focus.FocusExporter.name: as_focus.FocusExporter,
    as_codecarbon.CodecarbonExporter.name: as_codecarbon.CodecarbonExporter,
}

SOURCE_OPTIONS: dict[str, type] = {source.name: options for source, options in SOURCES}
RESOLVER_OPTIONS: dict[str, type] = {
    **{resolver.name: options for resolver, options in RESOLVERS},
    downward.DownwardResolver.name: downward.Options,
    declaring.DeclaredResolver.name: declaring.Options,
}
