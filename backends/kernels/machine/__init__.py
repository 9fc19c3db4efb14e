"""The machine under a kernel: blocks shared by threads, memory for results, devices."""
