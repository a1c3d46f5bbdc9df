"""Talks to RingCentral: transport, sign-in, quota, requests, and what their answers mean."""
