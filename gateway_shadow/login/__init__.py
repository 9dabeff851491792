"""People at the door: sign-in by key or by an OpenID Connect provider, sessions, and keys for their commands."""
