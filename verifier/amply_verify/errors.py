"""The errors of the verifier: one tree, and each says whose fault it is.

`InvalidError` and its children: the material is not what the ledger format asks for.
`RefusedError`: a numbered step of a verification failed (exit code 1).
`UnreadableError`: the verification could not start, or its input could not be read (exit code 2).
"""

Step = int | str


class InvalidError(ValueError):
    """A value breaks the ledger format; the message says which rule."""


class CanonicalError(InvalidError):
    """A text is not canonical JSON, or a value has no canonical form (section 2)."""


class EntryError(InvalidError):
    """An entry, a section or an opening breaks sections 3 or 5."""


class MoneyError(InvalidError):
    """Postings break section 4."""


class NoteError(InvalidError):
    """A signed note, checkpoint, verifier key or policy is malformed or wrongly signed."""


class ProofError(InvalidError):
    """A Merkle proof does not lead to the root it was given for."""


class UnreadableError(Exception):
    """The input could not be read or the question could not be understood; nothing was judged."""


class RefusedError(Exception):
    """Verification failed at a numbered step.

    `step` is the number of section 7 or 8, or "A1" to "A7" of section 9; `seq` the position in the
    organization's chain, `index` the position in the log (each None where the fault has none).
    """

    def __init__(
        self, step: Step, message: str, seq: int | None = None, index: int | None = None
    ) -> None:
        super().__init__(message)
        self.step = step
        self.message = message
        self.seq = seq
        self.index = index
