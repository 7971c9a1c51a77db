import bz2
import ctypes
import io
import mmap
import pickle
import ssl
import sys
import tempfile
import zlib

import numpy as np
from PIL import Image
from planting import COUNT, SIZE, TOTAL, kind


@kind("module shop → KEPT → […]")
def numpy_arrays(plant):
    plant.shop.KEPT = [plant.note(np.zeros(SIZE, np.uint8)) for _ in range(COUNT)]


@kind("module shop → KEPT → […] → ndarray.base")
def small_views_of_big_arrays(plant):
    plant.shop.KEPT = [plant.note(np.zeros(SIZE, np.uint8))[:16] for _ in range(COUNT)]


@kind("module shop → KEPT → ndarray.base → ndarray.base")
def numpy_view_of_bytes(plant):
    plant.shop.KEPT = np.frombuffer(plant.buffer(), np.uint8)[5:9]


@kind("module shop → KEPT → […]")
def numpy_object_array(plant):
    plant.shop.KEPT = np.array([*plant.buffers(), None], dtype=object)


@kind("module shop → KEPT → […]")
def numpy_records_with_objects(plant):
    plant.shop.KEPT = np.zeros(COUNT, dtype=[("number", int), ("image", object)])
    for n, image in enumerate(plant.buffers()):
        plant.shop.KEPT[n]["image"] = image


@kind("module shop → KEPT → memmap._mmap", "module shop → KEPT → memmap.base")
def numpy_memory_map(plant):
    file = plant.leaving.enter_context(tempfile.TemporaryFile())
    plant.shop.KEPT = np.memmap(file, np.uint8, "w+", shape=TOTAL)
    plant.note(plant.shop.KEPT._mmap, len(plant.shop.KEPT._mmap))


@kind("module shop → KEPT → […] → Image._im", "module shop → KEPT → […] → Image.im")
def pillow_images(plant):
    plant.shop.KEPT = [Image.new("RGB", (100, 100)) for _ in range(COUNT)]
    for image in plant.shop.KEPT:
        plant.note(image.im, 100 * (100 * 4 + 8))  # each row has a pointer to it


@kind("module shop → KEPT → […]")
def memory_maps(plant):
    plant.shop.KEPT = [plant.note(mmap.mmap(-1, SIZE), SIZE) for _ in range(COUNT)]


@kind("module shop → KEPT → […]")
def ctypes_arrays(plant):
    plant.shop.KEPT = [plant.note((ctypes.c_char * SIZE)(), SIZE) for _ in range(COUNT)]


@kind("module shop → KEPT → c_char_p._objects")
def ctypes_pointer(plant):
    plant.shop.KEPT = ctypes.c_char_p(plant.buffer())


@kind("module shop → KEPT → Header._objects → ['…']")
def ctypes_structure(plant):
    header = type("Header", (ctypes.Structure,), {"_fields_": [("image", ctypes.c_char_p), ("size", ctypes.c_int)]})
    plant.shop.KEPT = header(plant.buffer(), 1)


@kind("module shop → KEPT → […]")
def byte_streams(plant):
    plant.shop.KEPT = [io.BytesIO() for _ in range(COUNT)]
    for stream in plant.shop.KEPT:
        stream.write(bytes(SIZE))
        plant.note(stream)


@kind("module shop → KEPT → […] → BytesIO.buffer")
def byte_streams_over_the_same_bytes(plant):
    image = plant.buffer()
    plant.shop.KEPT = [io.BytesIO(image), io.BytesIO(image)]


@kind("module shop → KEPT → memoryview.obj → _BytesIOBuffer.source")
def view_of_a_byte_stream(plant):
    stream = io.BytesIO()
    stream.write(bytes(TOTAL))
    plant.note(stream)
    plant.shop.KEPT = stream.getbuffer()
    plant.leaving.callback(plant.shop.KEPT.release)


@kind("module shop → KEPT → […]")
def text_streams(plant):
    plant.shop.KEPT = [io.StringIO() for _ in range(COUNT)]
    for stream in plant.shop.KEPT:
        stream.write("a" * SIZE)
        plant.note(stream, SIZE)


@kind("module shop → KEPT → […]")
def text_streams_that_were_read(plant):
    plant.shop.KEPT = [io.StringIO("a" * SIZE) for _ in range(COUNT)]
    for stream in plant.shop.KEPT:
        stream.read(10)
        plant.note(stream, (4 if sys.version_info < (3, 12) else 1) * SIZE)  # there it cannot be told


@kind("module shop → KEPT")
def read_buffer_of_a_file(plant):
    plant.shop.KEPT = plant.leaving.enter_context(open(__file__, "rb", buffering=TOTAL))
    plant.note(plant.shop.KEPT)


class Nowhere:
    def write(self, data):
        return len(data)


@kind("module shop → KEPT → Pickler.memo")
def pickler_memo(plant):
    plant.shop.KEPT = pickle.Pickler(Nowhere())
    for image in plant.buffers():
        plant.shop.KEPT.dump(image)


@kind("module shop → KEPT → Unpickler.memo")
def unpickler_memo(plant):
    stream = io.BytesIO(pickle.dumps([bytes([n]) * SIZE for n in range(COUNT)]))
    plant.shop.KEPT = pickle.Unpickler(stream)
    for image in plant.shop.KEPT.load():
        plant.note(image)
    stream.seek(0)
    stream.truncate()


@kind("module shop → KEPT → […] → Decompress.unconsumed_tail")
def unconsumed_tails(plant):
    packed = zlib.compress(bytes(range(256)) * 4000, 0)
    plant.shop.KEPT = [zlib.decompressobj() for _ in range(COUNT)]
    for stream in plant.shop.KEPT:
        stream.decompress(packed[:SIZE], 10)
        plant.note(stream.unconsumed_tail)


@kind("module shop → KEPT → […] → BZ2Decompressor.unused_data")
def unused_data(plant):
    packed = bz2.compress(b"image") + bytes(SIZE)
    plant.shop.KEPT = [bz2.BZ2Decompressor() for _ in range(COUNT)]
    for stream in plant.shop.KEPT:
        stream.decompress(packed)
        plant.note(stream.unused_data)


@kind("module shop → KEPT → […]")
def compressors(plant):
    # What zlib takes for its usual settings, by its own documentation.
    plant.shop.KEPT = [plant.note(zlib.compressobj(), 268_000) for _ in range(COUNT)]


@kind("module shop → KEPT → […]")
def ssl_memory(plant):
    plant.shop.KEPT = [ssl.MemoryBIO() for _ in range(COUNT)]
    for bio in plant.shop.KEPT:
        bio.write(bytes(SIZE))
        plant.note(bio, SIZE * 4 // 3)
