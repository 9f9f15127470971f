"""What framejury costs, against its rivals and the floor: `python -m benchmarks`."""
