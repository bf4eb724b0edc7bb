"""Customizable contraction hierarchies: one order for the roads, new times in milliseconds.

Dibbelt, Strasser, Wagner, Customizable Contraction Hierarchies, JEA 21 (2016). `contraction`
makes the hierarchy from an order, once; `customization` fills in a mode's times; `labels` asks;
`unpacking` tells which links a shortcut stands for. Nodes are numbered by their rank.
"""

from routing.hierarchy.contraction import contract, postorder
from routing.hierarchy.customization import customize, recustomize
from routing.hierarchy.layout import INFINITE, Hierarchy, Times

__all__ = ["INFINITE", "Hierarchy", "Times", "contract", "customize", "postorder", "recustomize"]
