"""Does my service leak memory, who holds the bytes, and is the fix really a fix?"""

__version__ = "0.1.0"
