"""The classes to try, by name: a Python file's, or those of the Python blocks of a Markdown file, all of them in their
order and as they stand. What such blocks take for granted is given to them."""

import re


def load(path):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    names = {"__name__": "application"}
    if path.endswith(".py"):
        blocks = [text]
    else:
        blocks = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        exec(GRANTED, names)
    for block in blocks:
        exec(compile(block, path, "exec"), names)
    return names


GRANTED = """
import asyncio, hashlib, json, time
from datetime import datetime
from typing import Any, Callable, Dict, List, Optional, Tuple

class LockAcquisitionError(Exception):
    pass

class settings:
    REDIS_HOST, REDIS_PORT, REDIS_PASSWORD = "127.0.0.1", 1, None
"""
