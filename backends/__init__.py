"""One module per array library: what it offers beyond the standard.

To add a library, write ``backends/<name>.py``, where ``<name>`` is the first part of its
namespace's name, and let it end with ``BACKEND = Backend("<name>", ...)``; README.md beside this
file is the contract.
"""
