"""Takes leads from their buffers to the server and each record to its outcome."""
