"""What becomes of content: a call's mode, fingerprints, redaction, keeping, and who may send for a tenant at all.

``handling.py`` is the one place that decides by mode; the adapters know no mode, and the log gets events alone.
"""
