"""Spans in batches, to a collector that is down."""

# /// script
# dependencies = ["opentelemetry-exporter-otlp-proto-grpc", "opentelemetry-sdk"]
# [tool.libraries]
# kind = "C threads, at-fork hook"
# ///

from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from using.pair import pair

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter("http://127.0.0.1:9", insecure=True)))
tracer = provider.get_tracer("using")


def work(number):
    with tracer.start_as_current_span("work", attributes={"text": f"{number:04}" * 800}) as span:
        return span


leak, clean = pair(work)
