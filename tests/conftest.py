"""What every test has: the profiles of the property tests, and one stack of real servers for the whole run."""

pytest_plugins = ["tests.profiles", "tests.run_directory", "tests.stack"]
