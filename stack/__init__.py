"""The platform under the dashboards and rules: collection, Loki, storage, routing, Kubernetes.

One module per component; each has a ``COMPONENT``.  All of them are derived from the service descriptions in
`services` and from the figures in `stack.figures`.
"""
