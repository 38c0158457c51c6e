from tests.workers.ledger_stand import stand, topics_exist

__all__ = ["stand", "topics_exist"]
