"""Where logs live as they age: hot on SSD, warm in S3, cold archived."""

from __future__ import annotations

import json
from typing import Any

from lokictl.model.capacity import CapacityPlan, PlatformLimits, StorageTier
from lokictl.model.component import Component
from stack.figures import (
    AVERAGE_LINE_BYTES,
    COLD_DAYS,
    COMPRESSION,
    GIBIBYTE,
    HOT_DAYS,
    LIMITS,
    LOG_BUCKET,
    LOKI_REPLICAS,
    MEGABYTE,
    REPLICATION_FACTOR,
    WARM_DAYS,
)

SSD_DOLLARS_PER_GIGABYTE = 0.10
S3_DOLLARS_PER_GIGABYTE = 0.023
GLACIER_DOLLARS_PER_GIGABYTE = 0.0036
"""List prices a month; the volumes are bought whole (300 GB x $0.10 is the document's $30)."""

HOT_GIGABYTES = LOKI_REPLICAS * 100

TIERS = (
    StorageTier(
        "hot", 0, HOT_DAYS, fixed_dollars=HOT_GIGABYTES * SSD_DOLLARS_PER_GIGABYTE, documented_dollars=30.0
    ),
    StorageTier("warm", HOT_DAYS, WARM_DAYS, S3_DOLLARS_PER_GIGABYTE, documented_dollars=3.0),
    StorageTier("cold", WARM_DAYS, COLD_DAYS, GLACIER_DOLLARS_PER_GIGABYTE, documented_dollars=1.0),
)

PLAN = CapacityPlan(
    tiers=TIERS,
    limits=PlatformLimits(
        lines_per_second=LIMITS.lines_per_second,
        bytes_per_second=LIMITS.ingestion_megabytes * MEGABYTE,
        streams=LIMITS.streams_per_tenant,
        hot_bytes=HOT_GIGABYTES * GIBIBYTE,
    ),
    compression=COMPRESSION,
    line_bytes=AVERAGE_LINE_BYTES,
    pods=3,
    hot_copies=REPLICATION_FACTOR,
)

ARCHIVE_PREFIX = "archive/"


def lifecycle() -> dict[str, Any]:
    """The bucket's lifecycle, as ``aws s3api put-bucket-lifecycle-configuration`` takes it.

    Loki deletes by its own retention (30 and 60 days) and must find what it wants to read, so its chunks and
    index only move to a cheaper class that still answers at once; copies under ``archive/`` go to Glacier and end
    after a year.
    """
    return {
        "Rules": [
            {
                "ID": "warm",
                "Status": "Enabled",
                "Filter": {"Prefix": ""},
                "Transitions": [{"Days": WARM_DAYS, "StorageClass": "STANDARD_IA"}],
                "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
            },
            {
                "ID": "cold",
                "Status": "Enabled",
                "Filter": {"Prefix": ARCHIVE_PREFIX},
                "Transitions": [{"Days": WARM_DAYS, "StorageClass": "GLACIER"}],
                "Expiration": {"Days": COLD_DAYS},
            },
        ]
    }


COMPONENT = Component(
    name="storage",
    title="Object storage",
    description="The bucket's lifecycle; the SSD volumes are claims of Loki's StatefulSet.",
    configuration={
        "lifecycle.json": json.dumps(lifecycle(), indent=2) + "\n",
        "bucket": LOG_BUCKET + "\n",
    },
    manifests=(),
    checks=("a test of the rules and their days",),
    capacity=PLAN,
)
