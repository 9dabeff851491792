"""What must survive, on a real broker and a real Redis."""
