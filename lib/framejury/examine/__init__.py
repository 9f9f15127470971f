"""One video from bytes to rows: the worker's side, the child process, and the rows between them."""
