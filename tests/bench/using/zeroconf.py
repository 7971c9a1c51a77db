"""It listens on the loopback interface; packets are made and read, none is sent."""

# /// script
# dependencies = ["zeroconf"]
# [tool.libraries]
# kind = "event loop, threads"
# ///

from using.pair import pair
from zeroconf import DNSIncoming, DNSOutgoing, DNSText, Zeroconf
from zeroconf.const import _CLASS_IN, _FLAGS_QR_RESPONSE, _TYPE_TXT

zeroconf = Zeroconf(interfaces=["127.0.0.1"])


def work(number):
    packet = DNSOutgoing(_FLAGS_QR_RESPONSE)
    for place in range(5):
        packet.add_answer_at_time(DNSText(f"job-{number}-{place}.local.", _TYPE_TXT, _CLASS_IN, 60, bytes(200)), 0)
    message = DNSIncoming(packet.packets()[0])
    return message.answers()


leak, clean = pair(work)
