"""A producer's client whose broker is down."""

# /// script
# dependencies = ["kafka-python"]
# [tool.libraries]
# kind = "threads"
# ///

import logging

from kafka import KafkaProducer
from kafka.structs import TopicPartition
from using.pair import pair

logging.getLogger("kafka").setLevel(logging.CRITICAL + 1)
options = {"bootstrap_servers": "127.0.0.1:9", "api_version": (2, 5), "max_block_ms": 100}
producer = KafkaProducer(**options)
leak, clean = pair(lambda number: [TopicPartition(f"{number} {place}", place) for place in range(30)])
