"""Rows of its models, one connection a thread."""

# /// script
# dependencies = ["peewee"]
# [tool.libraries]
# kind = "connection pool, thread-locals"
# ///

from peewee import BlobField, IntegerField, Model
from playhouse.pool import PooledSqliteDatabase
from using.pair import pair

database = PooledSqliteDatabase("file:jobs?mode=memory&cache=shared", uri=True, check_same_thread=False)


class Job(Model):
    number = IntegerField()
    data = BlobField()

    class Meta:
        database = database


database.create_tables([Job])
Job.insert_many([{"number": number, "data": bytes(300)} for number in range(10)]).execute()


def work(_):
    with database.connection_context():
        return list(Job.select())


keeper = database.connection()
leak, clean = pair(work)
