"""The documentation site: pages of ``docs/``, references made from schemas, pictures made from numbers."""
