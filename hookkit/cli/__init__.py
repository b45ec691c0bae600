"""The command lines: ``hookkit`` plays the vendor, ``flask hookkit`` works on an inbox."""
