"""What a page says after a form was taken, by the word in its address: nothing else can be said so."""

DONES: dict[str, str] = {}
