"""Profiles of the property tests."""

import os

from hypothesis import Phase, settings

pytest_plugins = ["tests.stack"]

settings.register_profile("default", deadline=None, print_blob=True)
settings.register_profile("hunt", deadline=None, max_examples=1000, phases=[Phase.generate], report_multiple_bugs=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))
