"""A thin client of the sandbox, so that the tests read as what they are about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    from target_engagevoice.sandbox.sandbox import Sandbox

ACCOUNT = "99990001"
RENEWALS, WINBACK, DORMANT, CALLBACKS = 1001, 1002, 1003, 2001


def lead(number: int, **fields: Any) -> dict[str, Any]:
    """A lead with an id and a phone of its own."""
    return {"externId": f"id-{number}", "leadPhone": f"650{number:07d}", **fields}


def leads(count: int, start: int = 0) -> list[dict[str, Any]]:
    """That many leads."""
    return [lead(number) for number in range(start, start + count)]


class Client:
    """Talks to one sandbox over one session."""

    def __init__(self, sandbox: Sandbox, token: str = "any-token") -> None:  # noqa: S107 - any token will do
        self.sandbox = sandbox
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers["X-Auth-Token"] = token

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.session.close()

    def admin(self, method: str, path: str, **how: Any) -> requests.Response:
        """A request of the admin API, below `accounts/`."""
        return self.session.request(method, f"{self.sandbox.base_url}/api/v1/admin/accounts{path}", timeout=30, **how)

    def post(self, path: str, **how: Any) -> requests.Response:
        """A POST to the host, without the session's token."""
        return requests.post(f"{self.sandbox.origin}{path}", timeout=30, **how)

    def load(self, upload: list[Any], campaign: int = RENEWALS, **body: Any) -> requests.Response:
        """Load leads."""
        path = f"/{ACCOUNT}/campaigns/{campaign}/leadLoader/direct"
        return self.admin("POST", path, json={"description": "A list", "uploadLeads": upload, **body})

    def search(self, query: str = "", **criteria: Any) -> Any:
        """Look leads up."""
        answer = self.admin("POST", f"/{ACCOUNT}/campaignLeads/leadSearch{query}", json=criteria)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def act(self, action: str, parameters: dict[str, Any] | None = None, **criteria: Any) -> Any:
        """Do something to the leads that fit."""
        body = {"campaignLeadSearchCriteria": criteria, "leadActionParams": {"paramMap": parameters or {}}}
        answer = self.admin("PUT", f"/{ACCOUNT}/campaignLeads/actions?leadAction={action}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()
