"""The engine over recorded history, with no server."""
