"""The demonstration city 春水: generated from a seed, wholly fictional, and written as files.

The files go through the same importers as anybody's data: nothing knows it is a demonstration.
"""

from data.demo.files import DemoFiles, write_demo

__all__ = ["DemoFiles", "write_demo"]
