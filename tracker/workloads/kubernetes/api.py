"""Asks the API server for the metadata of this node's pods: one small request, answered from its cache.

``GET /api/v1/pods?fieldSelector=spec.nodeName=…&resourceVersion=0`` as ``PartialObjectMetadataList``: resource version
0 lets the server answer from memory instead of asking etcd, finished pods are left out. The API has no conditional
lists; where something on the way gives an ETag, it is sent back, and 304 means unchanged.

``http.client`` and ``ssl`` do all of it and are loaded in the daemon anyway. The certificate is always verified, no
redirect is followed and no proxy used: the token goes to this one server.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from tracker.workloads.kubernetes.deadline import Deadline
from tracker.workloads.kubernetes.metadata import ApiPod, parse_pods
from tracker.workloads.kubernetes.trouble import Trouble
from tracker.workloads.learner import Clock

DEADLINE_S = 10.0
#: 500 pods with 16 kB of metadata each (a usual pod has 2 to 8 kB, most of it managedFields).
MAX_BYTES = 8 << 20
MAX_WAIT_S = 600.0

NODE_NAME = "env: [{name: NODE_NAME, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}]"
RBAC = (
    "kubectl create clusterrole wattledger --verb=list --resource=pods && kubectl create clusterrolebinding wattledger "
    "--clusterrole=wattledger --serviceaccount={namespace}:{account}"
)
_ACCEPT = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{1,65536}")
_ACCOUNT = re.compile(r"[a-z0-9.-]{1,253}")


@dataclass(frozen=True, slots=True)
class Place:
    """Where the API server is and whose pods are asked for."""

    host: str
    port: int
    node: str
    account: Path  # folder with token, ca.crt and namespace, as the kubelet mounts it


def find_place(environ: Mapping[str, str], account: Path, server: str, node: str) -> Place:
    """From the settings, else from the environment of a pod. ``server``: "host:port". Raises Trouble."""
    host, port = environ.get("KUBERNETES_SERVICE_HOST", ""), environ.get("KUBERNETES_SERVICE_PORT", "443")
    if server:
        host, _, port = server.rpartition(":")
        host = host.strip("[]")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:  # noqa: PLR2004 - ports of TCP
        remedy = "Run as a pod with automountServiceAccountToken: true."
        raise Trouble("absent", "Nothing says where the API server is (KUBERNETES_SERVICE_HOST).", remedy)
    node = node or environ.get("NODE_NAME", "")
    if not node:
        raise Trouble("failed", "Nothing says which node this is (NODE_NAME).", NODE_NAME)
    return Place(host, int(port), node, account)


class ApiServer:
    """Asks one API server. Not for several threads at once."""

    def __init__(self, place: Place, clock: Clock) -> None:
        self._place, self._clock = place, clock
        self._etag = ""
        self._cached = True  # ask for an answer from memory
        self._last: tuple[ApiPod, ...] = ()

    def pods(self) -> tuple[ApiPod, ...]:
        """The node's pods that have not finished. Raises Trouble."""
        where = f"{self._place.host}:{self._place.port}"
        try:
            status, headers, body = self._get(Deadline(self._clock, DEADLINE_S))
        except TimeoutError as error:
            raise Trouble("failed", f"The API server at {where} did not answer in time.") from error
        except OSError as error:  # ssl.SSLError and socket.gaierror are such
            reason = getattr(error, "verify_message", "") or error.strerror or type(error).__name__
            raise Trouble("failed", f"The API server at {where} cannot be reached ({reason}).") from error
        if status == 304:  # noqa: PLR2004 - not modified
            return self._last
        if status != 200:  # noqa: PLR2004 - OK
            raise self._refusal(status, headers)
        try:
            self._last = parse_pods(body)
        except ValueError as error:
            raise Trouble("garbage", f"The API server's list of pods cannot be read ({error}).") from error
        self._etag, self._cached = headers.get("etag", ""), True
        return self._last

    def _get(self, deadline: Deadline) -> tuple[int, Mapping[str, str], bytearray]:
        from tracker.workloads.kubernetes.https import get  # noqa: PLC0415 - ssl is mapped only where it is used

        token = self._token()
        selector = f"spec.nodeName={self._place.node},status.phase!=Succeeded,status.phase!=Failed"
        query = {"fieldSelector": selector, **({"resourceVersion": "0"} if self._cached else {})}
        headers = {"Accept": _ACCEPT, "Authorization": f"Bearer {token}", "User-Agent": "wattledger"}
        if self._etag and self._cached:
            headers["If-None-Match"] = self._etag
        ca_file = self._place.account / "ca.crt"
        if not ca_file.exists():
            raise Trouble("failed", f"There is no certificate authority at {ca_file}: nobody is trusted without one.")
        path = f"/api/v1/pods?{urlencode(query)}"
        return get(self._place.host, self._place.port, path, headers, ca_file, deadline, MAX_BYTES)

    def _token(self) -> str:
        """Read for every request: the kubelet replaces the file before the token in it expires."""
        path = self._place.account / "token"
        try:
            token = path.read_text(encoding="ascii", errors="replace")[:65537].strip()
        except OSError as error:
            remedy = "Run as a pod with automountServiceAccountToken: true."
            raise Trouble("failed", f"There is no service-account token at {path}.", remedy) from error
        if not _TOKEN.fullmatch(token):
            raise Trouble("garbage", f"What is in {path} is no token.")
        return token

    def _refusal(self, status: int, headers: Mapping[str, str]) -> Trouble:
        wait_s = _retry_after_s(headers.get("retry-after", ""))
        match status:
            case 401:
                remedy = "Restart the pod if its token is not renewed; the kubelet renews it in the mounted folder."
                return Trouble("denied", "The API server does not accept the service-account token (401).", remedy)
            case 403:
                remedy = RBAC.format(namespace=self._namespace(), account="wattledger")
                return Trouble("denied", "The service account may not list pods (403).", remedy)
            case 410:
                self._cached, self._etag = False, ""
                return Trouble("failed", "The API server has forgotten that version of the list (410).")
            case 429:
                return Trouble("failed", "The API server asks for fewer requests (429).", wait_s=wait_s)
            case _:
                return Trouble("failed", f"The API server answers {status}.", wait_s=wait_s)

    def _namespace(self) -> str:
        try:
            name = (self._place.account / "namespace").read_text(encoding="ascii", errors="replace").strip()
        except OSError:
            return "NAMESPACE"
        return name if _ACCOUNT.fullmatch(name) else "NAMESPACE"


def _retry_after_s(text: str) -> float:
    """RFC 9110, 10.2.3, in seconds; the form with a date is not used by API servers."""
    return min(float(text), MAX_WAIT_S) if text.isdecimal() and len(text) < 10 else 0.0  # noqa: PLR2004 - a number
