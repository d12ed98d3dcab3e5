"""The demo city: a fictional Chinese city, generated from a seed at any size, delivered as departments would.

`generate.generate` writes the source files of a city into a folder; the same size and seed give the same bytes.
Nothing of what the platform never holds (see the privacy rules) is generated either.
"""
