"""What the edge's own rows say no to, whatever SpiceDB allows: for what was taken counts at once.

SpiceDB answers by what it was told, which takes a moment to arrive, and decisions are remembered
for seconds. So a yes is asked once more: whether the organization's money stands still, whether the
person still has the role, whether the collector may still collect.
"""

from edge.authorization import Question
from edge.directory.directory import Directory
from edge.members.standing import Standings
from edge.organizations.decisions import MOVES_MONEY
from edge.organizations.relationships import FROZEN


class OwnWord:
    """`edge.authorization.Word`, by rows that the edge itself writes."""

    def __init__(self, directory: Directory, standings: Standings) -> None:
        self._directory = directory
        self._standings = standings

    async def stands(self, question: Question) -> bool:
        """Whether SpiceDB's yes stands; ProblemError 503 while a smaller role is on its way."""
        kind, _, resource = question.resource.partition(":")
        subject_kind, _, subject = question.subject.partition(":")
        if kind == "organization" and question.permission in MOVES_MONEY:
            organization = await self._directory.organization(resource)
            if organization is not None and organization.status in FROZEN:
                return False
        if subject_kind == "user" and kind in ("organization", "platform"):
            return await self._standings.holds(subject, question.resource)
        if subject_kind == "collector" and kind == "organization":
            return await self._directory.may_collect(subject, resource)
        return True
