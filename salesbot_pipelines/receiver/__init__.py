"""The internet's door: install routes, webhooks, the merchant's status page, health and metrics.

A Starlette application in a process of its own that imports neither Dagster nor pandas. Its promises: no
answer says more than it must, 200 to a webhook means that the event is on the disk, and nothing that comes
in from outside reaches a log, a page or a host name unchecked. What becomes of an event is decided in
`refresh`; this room only takes it, except for uninstalls and privacy requests, which `control` carries out.
"""
