"""Objects of its mapper, from a pool of connections."""

# /// script
# dependencies = ["sqlalchemy"]
# [tool.libraries]
# kind = "proxies, instrumented classes"
# ///

from sqlalchemy import create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker
from using.pair import pair


class Base(DeclarativeBase):
    pass


class Job(Base):
    __tablename__ = "jobs"
    number: Mapped[int] = mapped_column(primary_key=True)
    data: Mapped[bytes]


engine = create_engine("sqlite:///file:jobs?mode=memory&cache=shared&uri=true", pool_size=5)
Base.metadata.create_all(engine)
with sessionmaker(engine).begin() as session:
    session.add_all(Job(number=number, data=bytes(300)) for number in range(10))


def work(_):
    with sessionmaker(engine)() as session:
        return session.scalars(select(Job)).all()


leak, clean = pair(work)
