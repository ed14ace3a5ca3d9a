"""A ROS 2 node that segments the images of an RGB and a thermal topic.

python examples/05_ros2.py MODEL RGB_TOPIC THERMAL_TOPIC

It publishes ~/labels, mono8 with class ids and the header of the RGB image. Needs rclpy,
message_filters and sensor_msgs of a ROS 2 installation that has been sourced.
"""

import sys
import threading
from collections import deque
from collections.abc import Iterator
from queue import Empty, Full, Queue
from typing import Any

import numpy as np

import samantic
from samantic.errors import InputError, one_line

KINDS = {"mono8": "u1", "8UC1": "u1", "mono16": "u2", "16UC1": "u2", "rgb8": "3u1", "bgr8": "3u1"}
SLOP = 0.05  # largest difference in seconds between the images of a pair


def pixels_of(message: Any) -> np.ndarray:
    """The pixels of an Image: rows of `step` bytes, in the byte order that the message gives."""
    if message.encoding not in KINDS:
        raise InputError(f"encoding {message.encoding}: give one of {', '.join(KINDS)}")
    kind = np.dtype(KINDS[message.encoding]).newbyteorder("><"[not message.is_bigendian])
    if len(message.data) != message.height * message.step or (
        message.step < message.width * kind.itemsize
    ):
        raise InputError(
            f"an image of {len(message.data)} bytes, but {message.height} rows of {message.step} "
            f"bytes hold {message.width} pixels of {message.encoding}; fix the camera's driver"
        )
    rows = np.frombuffer(bytes(message.data), np.uint8).reshape(message.height, message.step)
    used = np.ascontiguousarray(rows[:, : message.width * kind.itemsize])
    pixels = used.view(kind.base).reshape(message.height, message.width, *kind.shape)
    pixels = pixels.astype(kind.base.newbyteorder("="))
    return pixels[..., ::-1] if message.encoding == "bgr8" else pixels


def main(name: str, rgb: str, thermal: str) -> None:
    exported = name.endswith((".onnx", ".xml"))  # such a file has its own camera settings
    options = {} if exported else {"thermal_scaling": "frame", "rig": "resize"}
    model, newest, headers = samantic.load(name, **options), Queue(2), deque()
    rclpy.init()
    node = rclpy.create_node("samantic")
    labels = node.create_publisher(Image, "~/labels", 1)

    def take(colour: Any, heat: Any) -> None:
        try:
            newest.put_nowait((colour, heat))
        except Full:  # the network is slower than the cameras
            node.get_logger().debug("a pair is left out")

    topics = [message_filters.Subscriber(node, Image, topic) for topic in (rgb, thermal)]
    together = message_filters.ApproximateTimeSynchronizer(topics, 5, SLOP)
    together.registerCallback(take)
    threading.Thread(target=rclpy.spin, args=(node,), daemon=True).start()

    def pairs() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        while rclpy.ok():
            try:
                colour, heat = newest.get(timeout=0.2)
            except Empty:
                continue
            headers.append(colour.header)
            yield pixels_of(colour), pixels_of(heat)

    for found in model.stream(pairs(), ahead=1):
        tall, wide = found.labels.shape
        message = Image(height=tall, width=wide, encoding="mono8", step=wide)
        message.header, message.data = headers.popleft(), found.labels.tobytes()
        labels.publish(message)


with one_line("05_ros2.py"):
    if len(sys.argv) != 4:
        raise InputError("give a model and two topics: python examples/05_ros2.py nano /rgb /ir")
    try:
        import message_filters
        import rclpy
        from sensor_msgs.msg import Image
    except ModuleNotFoundError as error:
        raise InputError(f"needs {error.name}; source a ROS 2 installation first") from None
    main(*sys.argv[1:])
