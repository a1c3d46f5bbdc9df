"""Load leads from any Singer tap into RingCentral Engage Voice (RingCX) campaigns."""
