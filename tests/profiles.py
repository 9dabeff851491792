"""Profiles of the property tests: HYPOTHESIS_PROFILE is ``default``, ``quick`` or ``hunt``."""

import os

from hypothesis import HealthCheck, Phase, settings

# 70 examples: all tests together stay under a quarter of an hour on two processors.
settings.register_profile(
    "default",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],  # like a deadline, it measures the machine
    max_examples=70,
    print_blob=True,
)
settings.register_profile("quick", settings.get_profile("default"), max_examples=20)
settings.register_profile(
    "hunt",
    settings.get_profile("default"),
    max_examples=1000,
    phases=[Phase.generate],
    report_multiple_bugs=False,
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))
