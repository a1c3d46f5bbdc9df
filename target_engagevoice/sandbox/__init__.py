"""A small Engage Voice on loopback, faithful to the API reference, with faults on demand.

::

    with Sandbox() as sandbox:
        ...  # base_url=sandbox.base_url, rc_server_url=sandbox.origin, any credentials
        sandbox.leads()

`sandbox.py` starts and stops it; a request then passes `connection.py`, `application.py`, `desk.py` and one
of the endpoints that `routes.py` lists.
"""
