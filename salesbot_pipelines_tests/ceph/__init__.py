"""A real Ceph object gateway for tests, because it refuses what DigitalOcean Spaces refuses.

Stand-ins that run in one process let both production faults pass: an upload with checksum trailers
over TLS, and a quoted ETag in If-Match.
"""

from salesbot_pipelines_tests.ceph.gateway import CephGateway, Endpoint, missing_programs
from salesbot_pipelines_tests.ceph.shared import endpoint_for_tests

__all__ = ["CephGateway", "Endpoint", "endpoint_for_tests", "missing_programs"]
