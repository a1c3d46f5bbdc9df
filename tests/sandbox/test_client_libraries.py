"""RingCentral's own client libraries, given the sandbox's address, work against it (contract, section 6).

`ringcentral` and `ringcentral_engage_voice` (both PyPI) run unchanged. The latter had its last release in January 2021
and is used by these tests only. Of `ringcentral-engage-voice-client` (npm) the requests are repeated as it sends them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests
from ringcentral import SDK
from ringcentral.http.api_exception import ApiException
from ringcentral_engage_voice import RingCentralEngageVoice

from target_engagevoice.sandbox.sandbox import Sandbox
from tests.support.sandbox_client import ACCOUNT, Client, lead, leads

if TYPE_CHECKING:
    from collections.abc import Iterator

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
def live() -> Iterator[Sandbox]:
    """On the wall clock, as the library reckons with it."""
    with Sandbox(config={"search_delay_seconds": 0}) as sandbox:
        yield sandbox


def platform(sandbox: Sandbox, client_id: str = "client-id") -> Any:
    return SDK(client_id, "secret", sandbox.origin).platform()


def test_ringcentrals_client_signs_in_exchanges_loads_and_searches(live: Sandbox) -> None:
    rc = platform(live)
    rc.login(jwt="a.jwt")
    assert rc.logged_in()
    exchange = rc.post(
        f"{live.origin}/api/auth/login/rc/accesstoken?includeRefresh=true",
        body={"rcAccessToken": rc.auth().access_token(), "rcTokenType": "Bearer"},
        headers=dict(FORM),
    ).json_dict()
    headers = {"Authorization": f"Bearer {exchange['accessToken']}"}

    def call(method: str, path: str, **how: Any) -> Any:
        url = f"{live.base_url}/api/v1/admin/accounts{path}"
        return getattr(rc, method)(url, headers=dict(headers), skip_auth_check=True, **how).json_dict()

    account_id = call("get", "")[0]["accountId"]
    group = call("get", f"/{account_id}/dialGroups")[0]["dialGroupId"]
    campaign = call("get", f"/{account_id}/dialGroups/{group}/campaigns")[0]["campaignId"]
    path = f"/{account_id}/campaigns/{campaign}/leadLoader/direct"
    assert call("post", path, body={"description": "A list", "uploadLeads": leads(3)})["leadsInserted"] == 3
    search = {"campaignIds": [campaign], "externIds": ["id-2"]}
    (row,) = call("post", f"/{account_id}/campaignLeads/leadSearch", body=search)
    assert row["leadPhone"] == "6500000002"
    actions = f"/{account_id}/campaignLeads/actions"
    done = call("put", actions, query_params={"leadAction": "PAUSE_LEADS"}, body={"campaignLeadSearchCriteria": search})
    assert done["success"]


def test_ringcentrals_client_refreshes_and_logs_out(live: Sandbox) -> None:
    rc = platform(live)
    rc.login(jwt="a.jwt")
    before = rc.auth().access_token()
    rc.refresh()
    assert rc.auth().access_token() != before
    rc.logout()


def test_ringcentrals_client_raises_on_wrong_credentials(live: Sandbox) -> None:
    with pytest.raises(ApiException) as refused:
        platform(live, "wrong").login(jwt="a.jwt")
    assert refused.value.api_response().response().json()["errorCode"] == "OAU-146"


def test_ringcentrals_client_may_sign_in_with_a_password(live: Sandbox) -> None:
    rc = platform(live)
    with pytest.warns(UserWarning, match="deprecated"):
        rc.login(username="someone", password="secret", extension="101")
    assert rc.logged_in()


def test_the_engage_wrapper_signs_in_and_renews_when_the_token_has_expired(live: Sandbox) -> None:
    rc = platform(live)
    rc.login(jwt="a.jwt")
    with requests.Session() as session:
        body = f"rcAccessToken={rc.auth().data()['access_token']}&rcTokenType=Bearer"
        url = f"{live.origin}/api/auth/login/rc/accesstoken?includeRefresh=true"
        # The Python wrapper has no token yet and sends this header.
        headers = {**FORM, "Authorization": "Basic basic"}
        token = session.post(url, data=body, headers=headers, timeout=30).json()
        live.faults([{"on": "accounts", "do": "expire_token"}])
        accounts = f"{live.origin}/voice/api/v1/admin/accounts"
        bearer = {"Authorization": f"Bearer {token['accessToken']}", "Content-Type": "application/json"}
        assert "expired" in session.get(accounts, headers=bearer, timeout=30).text
        url = f"{live.origin}/api/auth/token/refresh"
        body = f"refresh_token={token['refreshToken']}&rcTokenType=Bearer"
        token = session.post(url, data=body, headers={**bearer, **FORM}, timeout=30).json()
        bearer = {"Authorization": f"Bearer {token['accessToken']}"}
        assert session.get(accounts, headers=bearer, timeout=30).json()[0]["accountId"] == ACCOUNT


def test_the_older_node_wrapper_lists_the_accounts_with_a_listed_token(live: Sandbox) -> None:
    """The order of its calls: sign in, list the tokens, and list the accounts with the first of them."""
    with requests.Session() as session:
        url = f"{live.origin}/api/v1"
        login = session.post(f"{url}/auth/login", data="username=some%40one&password=pass", headers=FORM, timeout=30)
        legacy = {"X-Auth-Token": login.json()["authToken"]}
        (token,) = session.get(f"{url}/admin/token", headers=legacy, timeout=30).json()
        permanent = {"X-Auth-Token": token}
        accounts = session.get(f"{url}/admin/accounts", headers=permanent, timeout=30).json()
        assert accounts[0]["accountId"] == ACCOUNT
        groups = session.get(f"{url}/admin/accounts/{ACCOUNT}/dialGroups", headers=permanent, timeout=30).json()
        assert groups[0]["dialGroupId"] == 501
        revoked = session.delete(f"{url}/admin/token/{token}", headers=legacy, timeout=30)
        assert (revoked.status_code, revoked.text) == (200, "true")
        again = session.get(f"{url}/admin/accounts", headers=permanent, timeout=30)
        assert again.status_code == 401


def test_the_older_python_wrapper_makes_a_token(live: Sandbox) -> None:
    with requests.Session() as session:
        url = f"{live.origin}/api/v1"
        # The wrapper leaves the password unquoted.
        login = session.post(f"{url}/auth/login", data="username=some%40one&password=pass", headers=FORM, timeout=30)
        assert login.json()["accounts"][0]["accountId"] == ACCOUNT
        legacy = {"X-Auth-Token": login.json()["authToken"]}
        token = session.post(f"{url}/admin/token", headers={**legacy, **FORM}, timeout=30).content
        accounts = session.get(f"{url}/admin/accounts", headers={"X-Auth-Token": token.decode()}, timeout=30)
        assert accounts.json()[0]["accountId"] == ACCOUNT


def load_and_find(client: RingCentralEngageVoice) -> None:
    """What somebody does with RingCentral's client: list, load, look up, change and act."""
    accounts = "/api/v1/admin/accounts"
    account_id = client.get(accounts).json()[0]["accountId"]
    group = client.get(f"{accounts}/{account_id}/dialGroups").json()[0]["dialGroupId"]
    campaigns = client.get(f"{accounts}/{account_id}/dialGroups/{group}/campaigns", {"page": 1, "maxRows": 10}).json()
    campaign = campaigns[0]["campaignId"]
    body = {"description": "A list", "uploadLeads": [{**lead(1), "externId": 1, "auxData1": 30, "midName": ""}]}
    loaded = client.post(f"{accounts}/{account_id}/campaigns/{campaign}/leadLoader/direct", json=body).json()
    assert loaded["leadsInserted"] == 1
    leads_path = f"{accounts}/{account_id}/campaignLeads"
    criteria = {"campaignIds": [campaign], "externIds": ["1"]}
    (row,) = client.post(f"{leads_path}/leadSearch", json=criteria).json()
    changed = client.patch(f"{leads_path}/{row['leadId']}", json={"city": "Oslo"}, params={"campaignId": campaign})
    assert (changed.json()["city"], changed.json()["externId"]) == ("Oslo", "1")
    act = {"campaignLeadSearchCriteria": criteria}
    done = client.put(f"{leads_path}/actions", json=act, params={"leadAction": "CANCEL_LEADS"}).json()
    assert (done["success"], done["leadUpdateCount"]) == (True, 1)


def test_ringcentrals_engage_voice_client_works_unchanged(live: Sandbox) -> None:
    client = RingCentralEngageVoice("client-id", "secret", server=live.origin, rcServer=live.origin)
    client.authorize(jwt="a.jwt")
    load_and_find(client)
    live.faults([{"on": "accounts", "do": "expire_token"}])
    before = client.token["accessToken"]
    assert client.get("/api/v1/admin/accounts").json()[0]["accountId"] == ACCOUNT, "it renews by itself"
    assert client.token["accessToken"] != before
    token = client.post("/api/v1/admin/token").text
    assert client.get("/api/v1/admin/token").json() != []
    assert client.delete(f"/api/v1/admin/token/{token}").status_code == 200


def test_ringcentrals_engage_voice_client_works_with_a_legacy_login(
    live: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ringcentral_engage_voice.engage_voice_client.LEGACY_SERVERS", [live.origin])
    client = RingCentralEngageVoice(server=live.origin)
    client.authorize(username="some@one", password="secret")
    load_and_find(client)


def test_the_server_refuses_the_account_wildcard(live: Sandbox) -> None:
    with Client(live) as client:
        assert client.admin("GET", "/~/dialGroups").status_code == 403
