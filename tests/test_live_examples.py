"""The examples for live cameras and ROS 2, with stand-ins for what they talk to."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"

CAMERAS = """
import os
import numpy as np

CAP_V4L2, CAP_PROP_BUFFERSIZE, CAP_PROP_FOURCC, CAP_PROP_CONVERT_RGB = range(4)
rng = np.random.default_rng(0)
asked = []

def VideoWriter_fourcc(*letters):
    return "".join(letters)

class VideoCapture:
    def __init__(self, device, api):
        self.device, self.settings, self.left = device, {}, int(os.environ.get("FRAMES", 9))
    def isOpened(self):
        return self.device < 9
    def set(self, key, value):
        self.settings[key] = value
    def grab(self):
        self.left -= 1
        return self.left >= 0
    def retrieve(self):
        if self.settings.get(CAP_PROP_FOURCC) == "Y16 " and "GRAY" not in os.environ:
            assert self.settings[CAP_PROP_CONVERT_RGB] == 0
            return True, rng.integers(7000, 9000, (60, 80), np.uint16)
        return True, rng.integers(0, 256, (120, 160, 3), np.uint8)
    def release(self):
        print("released", self.device)
"""

ROS = {
    "sensor_msgs/__init__.py": "",
    "sensor_msgs/msg.py": """
class Image:
    def __init__(self, **values):
        self.__dict__.update({"header": None, "data": b"", "is_bigendian": 0} | values)
""",
    "message_filters.py": """
class Subscriber:
    def __init__(self, node, kind, topic):
        self.topic = topic

class ApproximateTimeSynchronizer:
    now = None
    def __init__(self, topics, queue, slop):
        assert [t.topic for t in topics] == ["/rgb", "/ir"] and slop < 1
        ApproximateTimeSynchronizer.now = self
    def registerCallback(self, call):
        self.call = call
""",
    "rclpy.py": """
import os, time
import message_filters, numpy as np
from sensor_msgs.msg import Image

rng = np.random.default_rng(0)
published, sent = [], 0

class Publisher:
    def publish(self, message):
        published.append(message)
        assert message.encoding == "mono8" and message.step == 160
        assert len(message.data) == message.height * message.step
        print("published", message.header, message.width, message.height, flush=True)

class Node:
    def create_publisher(self, kind, topic, depth):
        return Publisher()

def init(): pass
def create_node(name): return Node()
def ok(): return len(published) < 3

def spin(node):
    step = int(os.environ.get("STEP", 170))
    for number in range(3):
        colour = rng.integers(0, 256, (120, 3 * 160 + 4), np.uint8)
        counts = np.zeros((60, step // 2), ">u2")
        counts[:] = rng.integers(7000, 9000, counts.shape)
        rgb = Image(height=120, width=160, step=484, encoding="bgr8", data=colour.tobytes(),
                    header=f"time {number}")
        ir = Image(height=60, width=80, step=step, encoding=os.environ.get("KIND", "mono16"),
                   data=counts.tobytes(), is_bigendian=1)
        message_filters.ApproximateTimeSynchronizer.now.call(rgb, ir)
        while len(published) <= number:
            time.sleep(0.01)
""",
}


@pytest.fixture
def stubs(tmp_path: Path) -> Path:
    (tmp_path / "cv2.py").write_text(CAMERAS)
    for name, text in ROS.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def run(
    stubs: Path | None, name: str, *words: str, **more: str
) -> subprocess.CompletedProcess[str]:
    before = [os.environ["PYTHONPATH"]] if os.environ.get("PYTHONPATH") else []
    path = os.pathsep.join([str(stubs), *before])
    command = [sys.executable, "-W", "ignore", str(EXAMPLES / name), *words]
    environment = os.environ | {"PYTHONPATH": path, "CUDA_VISIBLE_DEVICES": ""} | more
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment, timeout=300
    )


def test_cameras(stubs: Path) -> None:
    done = run(stubs, "04_camera.py", "nano", "0", "2", "3")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [" a second; rgb ok, thermal ok; <Prediction of 160x120" in line for line in lines] == [
        *[True] * 3,
        *[False] * 2,
    ]
    assert lines[3:] == ["released 0", "released 2"]


def test_topics(stubs: Path) -> None:
    done = run(stubs, "05_ros2.py", "nano", "/rgb", "/ir")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"published time {i} 160 120" for i in range(3)]


@pytest.mark.parametrize(
    ("words", "more", "message"),
    [
        (["04_camera.py", "nano", "0"], {}, "give a model and two numbers"),
        (["04_camera.py", "nano", "0", "front"], {}, "give a model and two numbers"),
        (["04_camera.py", "nano", "9", "2"], {}, "/dev/video9: no such camera"),
        (["04_camera.py", "nano", "0", "2"], {"GRAY": "1"}, "gives uint8, not uint16; set the"),
        (["04_camera.py", "nano", "0", "2"], {"FRAMES": "0"}, "both cameras have stopped"),
        (["05_ros2.py", "nano"], {}, "give a model and two topics"),
        (["05_ros2.py", "nano", "/rgb", "/ir"], {"KIND": "yuv422"}, "encoding yuv422: give one"),
        (["05_ros2.py", "nano", "/rgb", "/ir"], {"STEP": "120"}, "rows of 120 bytes hold 80"),
    ],
)
def test_bad_input(stubs: Path, words: list[str], more: dict[str, str], message: str) -> None:
    done = run(stubs, *words, **more)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith(f"{words[0]}: ")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["04_camera.py", "nano", "0", "2"], "needs OpenCV; pip install opencv-python-headless"),
        (["05_ros2.py", "nano", "/a", "/b"], "; source a ROS 2 installation first"),
    ],
)
def test_without_what_they_talk_to(words: list[str], message: str, tmp_path: Path) -> None:
    for name in ("cv2", "message_filters"):
        (tmp_path / f"{name}.py").write_text(f"raise ModuleNotFoundError(name={name!r})")
    done = run(tmp_path, *words)
    assert done.returncode == 2
    assert message in done.stderr


def test_they_are_short() -> None:
    for path in EXAMPLES.glob("0*.py"):
        assert len(path.read_text().splitlines()) < 120
    for name in ("04_camera.py", "05_ros2.py"):
        assert len((EXAMPLES / name).read_text().splitlines()) < 90


def test_pixels_by_step_and_order_of_bytes() -> None:
    """Against arrays that were padded and turned by hand."""
    source = (EXAMPLES / "05_ros2.py").read_text().split("\nwith one_line")[0]
    space: dict[str, object] = {}
    exec(compile(source, "05_ros2.py", "exec"), space)  # noqa: S102  # the part without ROS
    pixels_of = space["pixels_of"]
    rng = np.random.default_rng(1)
    for order, flag in (("<", 0), (">", 1)):
        expected = rng.integers(0, 65536, (5, 7), np.uint16)
        padded = np.zeros((5, 9), f"{order}u2")
        padded[:, :7] = expected
        message = SimpleNamespace(
            encoding="mono16", height=5, width=7, step=18, is_bigendian=flag, data=padded.tobytes()
        )
        found = pixels_of(message)  # type: ignore[operator]
        assert found.dtype == np.uint16
        assert np.array_equal(found, expected)
