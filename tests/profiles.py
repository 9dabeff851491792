"""Profiles of the property tests: HYPOTHESIS_PROFILE is ``default``, ``quick`` or ``hunt``."""

import os

from hypothesis import Phase, settings

# 70 examples: all tests together stay under a quarter of an hour on two processors.
settings.register_profile("default", deadline=None, max_examples=70, print_blob=True)
settings.register_profile("quick", deadline=None, max_examples=20)
settings.register_profile("hunt", deadline=None, max_examples=1000, phases=[Phase.generate], report_multiple_bugs=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))
