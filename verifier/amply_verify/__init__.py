"""Offline verification of Amply's public ledger: receipts, exports and whole logs.

`canonical`, `entry`, `money`, `tree`, `tiles`, `note` and `policy` are pure; `receipt`, `export`,
`audit`, `history` and `monitor` are the verifications; `cli` is the command `amply-verify`.
"""
