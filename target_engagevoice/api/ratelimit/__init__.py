"""Keeps requests within the account's quota, alone or with other processes."""
