"""The exact bytes that are signed for one event; anyone can rebuild them from an export.

    0x01 | u16 len(stream) | stream | u64 version | u16 len(topic) | topic | state

Lengths are big-endian, text is UTF-8. The position is not in the leaf: it is the leaf's place in the tree.
"""

FORMAT = b"\x01"
# A tlog-tiles entry bundle counts a leaf's length in 16 bits.
MAX_LEAF = 0xFFFF


def leaf_bytes(stream: str, version: int, topic: str, state: bytes) -> bytes:
    return b"".join((leaf_stream(stream), version.to_bytes(8), leaf_topic(topic), state))


def leaf_stream(stream: str) -> bytes:
    name = stream.encode()
    return b"".join((FORMAT, len(name).to_bytes(2), name))


def leaf_topic(topic: str) -> bytes:
    name = topic.encode()
    return len(name).to_bytes(2) + name


def read_leaf(leaf: bytes) -> tuple[str, int, str, bytes]:
    """The inverse of `leaf_bytes`."""
    stream_end = 3 + int.from_bytes(leaf[1:3])
    topic_start = stream_end + 10
    topic_end = topic_start + int.from_bytes(leaf[stream_end + 8 : topic_start])
    if leaf[:1] != FORMAT or topic_end > len(leaf):
        raise ValueError("not a leaf of format 1")
    version = int.from_bytes(leaf[stream_end : stream_end + 8])
    return leaf[3:stream_end].decode(), version, leaf[topic_start:topic_end].decode(), leaf[topic_end:]
