"""Alerts, as Alertmanager has them."""

from __future__ import annotations

from datasources.common import ALERTMANAGER, environment, password, url, user
from lokictl.model import DataSource

SOURCE = DataSource(
    name="Alertmanager",
    type="alertmanager",
    uid=ALERTMANAGER,
    url=url(ALERTMANAGER),
    basic_auth=True,
    basic_auth_user=user(ALERTMANAGER),
    json_data={"implementation": "prometheus", "handleGrafanaManagedAlerts": False},
    secure_json_data=password(ALERTMANAGER),
    environment=environment(ALERTMANAGER),
)
