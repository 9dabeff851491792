"""What a decision depends on besides its inputs: named in every decision."""

from spendgate.model.zones import TZDATA_VERSION

LAW_VERSION = 2
"""Raised with every change of the engine that could change a verdict, a reason or a counter."""

ENGINE_VERSION = f"{LAW_VERSION}+tzdata.{TZDATA_VERSION}"
