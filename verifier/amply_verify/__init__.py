"""Offline verification of Amply's public ledger: receipts, exports and whole logs.

`canonical`, `entry`, `money`, `tree`, `tiles`, `note` and `policy` are pure; `receipt`, `export`
and `audit` are the three verifications; `cli` is the command `amply-verify`.
"""
