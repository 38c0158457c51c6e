"""What can go wrong with the embedded engines, each as one sentence that says what to do."""


class EngineError(Exception):
    """An embedded engine cannot be fetched, started or kept."""


class FetchError(EngineError):
    """An artefact could not be brought into the cache."""


class OfflineError(FetchError):
    """The package registries cannot be reached and the cache lacks the artefact."""


class ChecksumMismatchError(FetchError):
    """A fetched artefact is not the one that was pinned; it was thrown away."""


class DirectoryInUseError(EngineError):
    """Another process runs its engines on this data directory."""


class EngineStartError(EngineError):
    """An engine ended, or did not answer in time; its log says why."""
