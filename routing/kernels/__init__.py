"""Compiled inner loops of the travel-time engine; none holds the interpreter's lock.

`places` puts places on roads, `ways` finds the fastest way between two, `search` looks around a
place as far as it must, `lines` draws a way, `crew` keeps where responders are.
"""
