"""The sandbox on a port of its own: its links are followed by people who have no key."""

from __future__ import annotations

import base64
import socket
import subprocess
from collections.abc import Iterator

import httpx
import pytest

KEY = {"authorization": "Bearer tp_live_sandbox_full"}


@pytest.fixture(scope="module")
def server(command: str) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([command, "sandbox", "--port", str(port)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert process.stdout is not None
    process.stdout.readline()
    url = f"http://127.0.0.1:{port}"
    with httpx.Client(transport=httpx.HTTPTransport(retries=8)) as client:
        assert client.get(f"{url}/__sandbox/clock", timeout=20).status_code == 200
    yield url
    process.terminate()
    process.wait(10)
    process.stdout.close()


def test_a_file_of_many_megabytes_goes_up_and_comes_back_through_a_link_that_expires(server: str) -> None:
    api = f"{server}/functions/v1/api/v1"
    content = bytes(range(256)) * 4096 * 20
    body = {"base64": base64.b64encode(content).decode(), "name": "plans.pdf", "type": "document", "mime_type": "application/pdf"}
    record = httpx.post(f"{api}/files/upload", json=body, headers=KEY, timeout=30).json()["data"]
    link = httpx.get(f"{api}/files/{record['id']}/download", headers=KEY).json()["data"]["download_url"]
    assert link.startswith(server)
    response = httpx.get(link, timeout=30)
    assert response.content == content
    assert response.headers["content-disposition"] == 'attachment; filename="plans.pdf"'
    httpx.post(f"{server}/__sandbox/clock", json={"advance_seconds": 61})
    assert httpx.get(link).json()["error"]["code"] == "URL_EXPIRED"


def test_a_mailed_form_is_opened_and_answered_under_its_link(server: str) -> None:
    api = f"{server}/functions/v1/api/v1"
    templates = httpx.get(f"{api}/forms/templates", headers=KEY).json()["data"]
    template = next(t for t in templates if t["name"] != "Room measurements")
    contact = httpx.get(f"{api}/contacts?limit=1", headers=KEY).json()["data"][0]
    body = {"template_id": template["id"], "recipient_email": "sam@mail.example", "recipient_name": "Sam"}
    sent = httpx.post(f"{api}/forms/send", json={**body, "contact_id": contact["id"]}, headers=KEY).json()["data"]
    url = httpx.get(f"{server}/__sandbox/outbox").json()["outbox"][-1]["url"]
    page = httpx.get(url).json()["data"]
    answers = {f["id"]: f["options"][0] if f["options"] else "Nothing" for f in page["fields"] if f["is_required"]}
    assert httpx.post(url, json={"answers": answers}).json()["data"]["status"] == "completed"
    assert httpx.get(f"{api}/forms/submissions/{sent['id']}", headers=KEY).json()["data"]["status"] == "completed"
    assert httpx.post(url, json={"answers": answers}).status_code == 409
