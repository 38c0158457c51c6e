"""Payouts as members see them: deposits and what adds up to each, and how payouts are made."""
