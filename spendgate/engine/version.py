"""What a decision depends on besides its inputs: named in every decision."""

from spendgate.model.zones import TZDATA_VERSION

LAW_VERSION = 3
"""Raised with every change of the engine that could change a verdict, a reason or a counter, or what else a decision
says: published under one version and replayed under another, it would differ and nobody could say why."""

ENGINE_VERSION = f"{LAW_VERSION}+tzdata.{TZDATA_VERSION}"
