"""What takes bytes from outside, and the law that each keeps: held on a corpus, and hunted with Atheris (make fuzz)."""
