"""The page of the sandbox: leads, loads and requests, for a browser on this machine."""
