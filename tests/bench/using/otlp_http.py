"""Spans, metrics and logs to a collector that is down, with Flask instrumented."""

# /// script
# dependencies = ["opentelemetry-exporter-otlp-proto-http", "opentelemetry-sdk", "opentelemetry-instrumentation-flask"]
# [tool.libraries]
# kind = "at-fork hook, patching"
# ///

import logging

from opentelemetry import metrics, trace
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

DOWN = "http://127.0.0.1:9"
FlaskInstrumentor().instrument()
from using.pair import pair  # noqa: E402 - takes Flask as it is patched

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{DOWN}/v1/traces")))
trace.set_tracer_provider(provider)
reader = PeriodicExportingMetricReader(OTLPMetricExporter(f"{DOWN}/v1/metrics"), export_interval_millis=1000)
metrics.set_meter_provider(MeterProvider([reader]))
logs = LoggerProvider()
logs.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(f"{DOWN}/v1/logs")))
logger = logging.getLogger("using")
logger.addHandler(LoggingHandler(logger_provider=logs))
logger.setLevel(logging.INFO)
jobs = metrics.get_meter("using").create_counter("jobs")


def work(number):
    jobs.add(1)
    logger.info("job %d", number)
    span = trace.get_current_span()
    span.set_attribute("text", f"{number:04}" * 800)
    return span


leak, clean = pair(work)
