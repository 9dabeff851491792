"""Profiles of the property tests: HYPOTHESIS_PROFILE is ``default``, ``quick`` or ``hunt``."""

import os

from hypothesis import Phase, settings

settings.register_profile("default", deadline=None, print_blob=True)
settings.register_profile("quick", deadline=None, max_examples=20)
settings.register_profile("hunt", deadline=None, max_examples=1000, phases=[Phase.generate], report_multiple_bugs=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))
