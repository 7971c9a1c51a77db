"""A batch of texts on its pool of threads."""

# /// script
# dependencies = ["tokenizers"]
# [tool.libraries]
# kind = "C threads, C at-fork handlers"
# ///

from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from using.pair import pair

tokenizer = Tokenizer(WordLevel({"job": 0, "[UNK]": 1}, unk_token="[UNK]"))
tokenizer.pre_tokenizer = Whitespace()
leak, clean = pair(lambda number: tokenizer.encode_batch([f"job {number} " * 20] * 8))
