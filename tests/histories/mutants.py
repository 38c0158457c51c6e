"""Sandboxes with one mistake each: what the audit of a history must notice.

A mutant replaces one text in one module's source while the module is imported. The text must occur
there exactly once, so that a sandbox that was rewritten cannot make a mutant harmless unseen.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType


@dataclass(frozen=True, slots=True)
class Mutant:
    """A mistake in the sandbox: `old` reads `new` in `module`."""

    module: str
    old: str
    new: str


MUTANTS = {
    "fee sign": Mutant("deploy.sandbox.balance", '"net": amount - fee', '"net": amount + fee'),
    "FX rounding": Mutant(
        "deploy.sandbox.money",
        "return divide_half_up(amount * rate, RATE_SCALE), rate / RATE_SCALE",
        "return amount * rate // RATE_SCALE, rate / RATE_SCALE",
    ),
    "dispute fee": Mutant(
        "deploy.sandbox.dispute_states",
        '_book(call, dispute, -1, fee, "dispute"',
        '_book(call, dispute, -1, -fee, "dispute"',
    ),
    "payout return": Mutant(
        "deploy.sandbox.payouts",
        'call, payout["id"], kind, payout["amount"], payout["currency"]',
        'call, payout["id"], kind, -payout["amount"], payout["currency"]',
    ),
    "partial refund": Mutant(
        "deploy.sandbox.refund_states",
        'amount, rate = call.world.convert(refund["amount"], refund["currency"], settlement)',
        'amount, rate = call.world.convert(charge["amount"], refund["currency"], settlement)',
    ),
}


class _Loader(SourceFileLoader):
    def __init__(self, mutant: Mutant, path: str) -> None:
        super().__init__(mutant.module, path)
        self._mutant = mutant

    def get_code(self, fullname: str) -> CodeType:
        """From the changed source, never from compiled code that was kept."""
        source = self.get_data(self.path).decode()
        found = source.count(self._mutant.old)
        if found != 1:
            raise ValueError(f"the mutant's text occurs {found} times in {fullname}")
        changed = source.replace(self._mutant.old, self._mutant.new)
        code: CodeType = self.source_to_code(changed.encode(), self.path)
        return code


class _Finder(MetaPathFinder):
    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The mutant's module with its changed source; nothing for any other."""
        if fullname != self._mutant.module:
            return None
        spec = PathFinder.find_spec(fullname, path)
        assert spec is not None and spec.origin is not None
        spec.loader = _Loader(self._mutant, spec.origin)
        return spec


def install(name: str) -> None:
    """Let this process have that mutant for a sandbox; before anything imports the sandbox."""
    mutant = MUTANTS[name]
    assert mutant.module not in sys.modules, "too late: the sandbox is imported already"
    sys.meta_path.insert(0, _Finder(mutant))
