"""A producer whose broker is down."""

# /// script
# dependencies = ["confluent-kafka"]
# [tool.libraries]
# kind = "C threads"
# ///

from confluent_kafka import Producer, TopicPartition
from using.pair import pair

producer = Producer({"bootstrap.servers": "127.0.0.1:9", "message.timeout.ms": 200, "log_level": 0})


def work(number):
    producer.produce("jobs", value=str(number))
    producer.poll(0)
    return [TopicPartition("jobs", partition, number) for partition in range(30)]


leak, clean = pair(work)
