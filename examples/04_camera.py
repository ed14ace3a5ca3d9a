"""Segment the live images of an RGB and a thermal camera on this machine.

python examples/04_camera.py MODEL RGB THERMAL [PAIRS]

MODEL is nano, a run folder, a model folder or an exported file; RGB and THERMAL are numbers of
video devices, such as 0 and 2 for /dev/video0 and /dev/video2. The thermal camera must support Y16,
counts of 16 bits: its 8-bit gray levels change their meaning from frame to frame. Needs OpenCV (pip
install opencv-python-headless) on Linux. Ends after PAIRS pairs, or with Ctrl-C.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np

import samantic
from samantic.errors import InputError, one_line


def opened(device: str, thermal: bool) -> Any:
    """Open a camera, with raw counts if it is thermal, and without a queue of old frames."""
    camera = cv2.VideoCapture(int(device), cv2.CAP_V4L2)
    if not camera.isOpened():
        raise InputError(f"/dev/video{device}: no such camera, or another program has it")
    camera.set(cv2.CAP_PROP_BUFFERSIZE, 1)
    if thermal:
        camera.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter_fourcc(*"Y16 "))
        camera.set(cv2.CAP_PROP_CONVERT_RGB, 0)
    return camera


def counts_of(image: np.ndarray, device: str) -> np.ndarray:
    """The thermal image (H, W) uint16."""
    if image.dtype != np.uint16:
        raise InputError(
            f"/dev/video{device}: gives {image.dtype}, not uint16; set the camera to Y16: "
            f"v4l2-ctl -d {device} --list-formats shows whether it can"
        )
    return image.reshape(image.shape[:2])


def pairs_of(rgb: str, thermal: str) -> Iterator[tuple[Any, Any]]:
    """Pairs as long as a camera gives images; None for a camera that has stopped for a moment."""
    cameras = opened(rgb, thermal=False), opened(thermal, thermal=True)
    try:
        while True:
            there = [camera.grab() for camera in cameras]  # both at once; decoding takes longer
            if not any(there):
                raise InputError("both cameras have stopped; check their cables")
            colour, heat = (
                camera.retrieve()[1] if ok else None
                for camera, ok in zip(cameras, there, strict=True)
            )
            yield colour, None if heat is None else counts_of(heat, thermal)
    finally:
        for camera in cameras:
            camera.release()


def main(name: str, rgb: str, thermal: str, most: int | None) -> None:
    exported = name.endswith((".onnx", ".xml"))  # such a file has its own camera settings
    options = {} if exported else {"thermal_scaling": "frame", "rig": "resize"}
    model, start = samantic.load(name, **options), time.perf_counter()
    pairs = model.stream(pairs_of(rgb, thermal), channels="bgr", ahead=1)  # OpenCV's order
    for number, prediction in enumerate(pairs, 1):
        states = ", ".join(f"{camera} {state}" for camera, state in prediction.cameras.items())
        print(f"{number / (time.perf_counter() - start):.1f} a second; {states}; {prediction}")
        if number == most:
            pairs.close()  # this releases the cameras
            return


with one_line("04_camera.py"), suppress(KeyboardInterrupt):
    words = sys.argv[1:]
    if len(words) not in (3, 4) or not all(word.isdigit() for word in words[1:]):
        raise InputError("give a model and two numbers: python examples/04_camera.py nano 0 2")
    try:
        import cv2
    except ModuleNotFoundError:
        raise InputError("needs OpenCV; pip install opencv-python-headless") from None
    main(*words[:3], int(words[3]) if len(words) == 4 else None)
