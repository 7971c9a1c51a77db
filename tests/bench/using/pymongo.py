"""A client whose server is down: its monitors are threads."""

# /// script
# dependencies = ["pymongo"]
# [tool.libraries]
# kind = "threads, at-fork hook"
# ///

from bson import ObjectId, encode
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient
from using.pair import pair

client = MongoClient("127.0.0.1:9", serverSelectionTimeoutMS=100)
client._connect() if hasattr(client, "_connect") else client.nodes


def work(number):
    return RawBSONDocument(encode({"_id": ObjectId(), "number": number, "data": bytes(3000)}))


leak, clean = pair(work)
