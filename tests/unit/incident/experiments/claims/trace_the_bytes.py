import numpy as np

from labserver.diagnosis.holders.find import Holder
from labserver.diagnosis.holders.items import ItemPlaces
from labserver.heap.chain import Chain, Link
from labserver.heap.frame import Frame
from labserver.incident.experiments.leak.trace import GrowthTrace

JOBS, GROWTH = 60, 12_000_000
STORE = "module labserver.incident.service.app → LeakyJobStore._jobs"
GOOD = {
    "holder": STORE,
    "buffers": JOBS,
    "retained": GROWTH,
    "holder_retained": 2 * GROWTH,
    "file": "labserver/incident/service/face.py",
    "objgraph": f"{STORE} → ['…'] → JobResult.image",
}


NONE = np.zeros(0, dtype=np.int64)


def run(given):
    top = Holder(
        path=f"{given.holder} → ['…']",
        chain=Chain((Link(None, "dict", "dict"),)),
        holder=given.holder,
        holder_type="dict",
        example_node=0,
        buffer_type="bytes",
        buffers=given.buffers,
        growth_bytes=given.retained,
        retained_bytes=given.retained,
        holder_retained_bytes=given.holder_retained,
        also_held_by=(),
        bound=None,
        bound_from=None,
        examples=(),
        path_as_found=f"{given.holder} → ['…']",
        item_places=ItemPlaces(NONE, NONE, NONE, linked=False, new=NONE.astype(bool)),
        allocated_at=(Frame("PIL/Image.py", 1, "tobytes"), Frame(given.file, 41, "compose")),
    )
    return {"trace": GrowthTrace(JOBS, GROWTH, [], [top], given.objgraph)}


CAUSES = {
    "something else holds the results": ({"holder": "module shop → CACHE"}, {"holder"}),
    "only some jobs leave their result": ({"buffers": JOBS - 1}, {"buffers"}),
    "most of the growth is held elsewhere": ({"retained": GROWTH // 2}, {"share_of_growth"}),
    "others hold what came": ({"holder_retained": GROWTH // 2}, {"retained_bytes"}),
    "the bytes are the library's own": ({"file": "flask/app.py"}, {"allocated_at"}),
    "objgraph finds nothing": ({"objgraph": None}, {"objgraph_agrees"}),
    "objgraph ends elsewhere": ({"objgraph": "module shop → CACHE"}, {"objgraph_agrees"}),
}
