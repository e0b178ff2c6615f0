"""Arguments that must come back as they went."""

JSON_VALUES = [
    None,
    True,
    False,
    0,
    -1,
    1.5,
    -2.5e-7,
    2**53 - 1,
    "",
    "text",
    "äöü ß € 😀 \U0010ffff",
    "quotes \" \\ / \b\f\n\r\t \u0000 \u001f \u007f \u2028",
    "\u001e separators : , [ 42",
    "x" * 70_000,
    [],
    {},
    [[[[]]], [None, [1, "2", {"three": [3]}]]],
    {"z": 1, "a": {"": None, 'key with " quote': []}, "m": [{}, []]},
    {"type": 2, "nsp": "/other", "data": ["event"], "id": 7},
]


def binary_arguments():
    """Binary at several depths, with every byte, and twice the same. The client turns empty attachments into None."""
    twice = b"\x01\x02\x03"
    return [
        b"\x1e\x34\xff",
        {"list": ["text", bytes(range(256)), {"deep": [{"er": twice}, None, twice]}]},
        "between",
        [[b"\x04"]],
    ]
