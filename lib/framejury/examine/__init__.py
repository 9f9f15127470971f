"""One video from bytes to rows: the worker, its child process, and the messages between them."""
