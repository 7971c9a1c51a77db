"""A client's thread that tries again and again to reach its broker."""

# /// script
# dependencies = ["paho-mqtt"]
# [tool.libraries]
# kind = "threads"
# ///

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion
from using.pair import pair

client = Client(CallbackAPIVersion.VERSION2)
client.connect_async("127.0.0.1", 9)
client.loop_start()


def work(number):
    message = MQTTMessage(number % 60000, b"jobs")
    message.payload = bytes(3000)
    return message


leak, clean = pair(work)
