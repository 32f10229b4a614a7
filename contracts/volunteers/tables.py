"""The tables of the volunteers contract, and how the ids of their rows are made."""

from __future__ import annotations

from contracts.points.types import Found
from contracts.volunteers.types import (
    VOLUNTEERS,
    Activity,
    Application,
    Ask,
    Certificate,
    Contribution,
    Earned,
    Mail,
    Posting,
    Presentation,
    Register,
    Requester,
    Rule,
    Volunteer,
)
from ledger.table import Mark, Table, Writer

PEOPLE = Table(VOLUNTEERS, "volunteer", Volunteer)
PEOPLE_IN = Table(VOLUNTEERS, "volunteer_in", Found)
"""`<municipality>/<status>/<time of application>/<volunteer>`."""
CANDIDATES = Table(VOLUNTEERS, "candidate", Found)
"""`<municipality>/<skill or ->/<last asked>/<volunteer>`: registered ones, who was asked least lately first (V4)."""
REQUESTERS = Table(VOLUNTEERS, "requester", Requester)
REQUESTERS_IN = Table(VOLUNTEERS, "requester_in", Found)
"""`<municipality>/<requester>`."""
CERTIFICATES = Table(VOLUNTEERS, "certificate", Certificate)
CERTIFICATES_OF = Table(VOLUNTEERS, "certificate_of", Found)
"""`<volunteer>/<time, newest first>/<certificate>`."""
CERTIFICATES_IN = Table(VOLUNTEERS, "certificate_in", Found)
"""`<municipality>/<status index>`."""
STATUS_BITS = Table(VOLUNTEERS, "status_bit", Mark)
"""`<municipality>/<purpose>/<status index>`: what the status lists have set."""
REGISTERS = Table(VOLUNTEERS, "register", Register)
"""By municipality."""
PRESENTATIONS = Table(VOLUNTEERS, "presentation", Presentation)
"""By the commitment of the code."""
POSTINGS = Table(VOLUNTEERS, "posting", Posting)
POSTINGS_IN = Table(VOLUNTEERS, "posting_in", Found)
"""`<municipality>/<status>/<start>/<posting>`; of published ones those open to everybody."""
CALENDAR = Table(VOLUNTEERS, "calendar", Found)
"""`<start>/<posting>`: published ones of all municipalities that are open to everybody."""
POSTINGS_OF = Table(VOLUNTEERS, "posting_of", Found)
"""`<requester>/<start, latest first>/<posting>`."""
APPLICATIONS = Table(VOLUNTEERS, "application", Application)
"""`<posting>/<volunteer>`."""
APPLICATIONS_OF = Table(VOLUNTEERS, "application_of", Found)
"""`<volunteer>/<start of the posting, latest first>/<posting>` -> the application."""
QUEUE = Table(VOLUNTEERS, "queue", Found)
"""`<posting>/<number>` -> the volunteer: the waiting list in its order."""
LIVE = Table(VOLUNTEERS, "live", Found)
"""`<volunteer>/<posting>`: applications that are reviewed, wait or are accepted -> the application."""
LIVE_AT = Table(VOLUNTEERS, "live_at", Found)
"""`<posting>/<volunteer>`: the same, by posting -> the volunteer."""
BUSY = Table(VOLUNTEERS, "busy", Found)
"""`<volunteer>/<start>/<posting>`: the places that a volunteer holds or works in, which must not overlap."""
ASKS = Table(VOLUNTEERS, "ask", Ask)
ASKS_IN = Table(VOLUNTEERS, "ask_in", Found)
"""`<municipality>/<status>/<time>/<ask>`."""
ASKS_OF = Table(VOLUNTEERS, "ask_of", Found)
"""`<volunteer or requester>/<time, newest first>/<ask>`."""
OPEN_ASKS = Table(VOLUNTEERS, "open_ask", Found)
"""`<volunteer>/<ask>`: neither confirmed nor ended."""
ACTIVITIES = Table(VOLUNTEERS, "activity", Activity)
ACTIVITIES_AT = Table(VOLUNTEERS, "activity_at", Found)
"""`<posting>/<volunteer>`: one for each place."""
ACTIVITIES_IN = Table(VOLUNTEERS, "activity_in", Found)
"""`<municipality>/<status>/<start, latest first>/<activity>`."""
ACTIVITIES_OF = Table(VOLUNTEERS, "activity_of", Found)
"""`<volunteer or requester>/<start, latest first>/<activity>`."""
RULES = Table(VOLUNTEERS, "rule", Rule)
RULES_FOR = Table(VOLUNTEERS, "rule_for", Found)
"""`<municipality>/<kind or ->/<first day, latest first>`: of one kind no two rules hold on one day."""
RULES_IN = Table(VOLUNTEERS, "rule_in", Found)
"""`<municipality>/<first day>/<rule>`."""
EARNED = Table(VOLUNTEERS, "earned", Earned)
"""`<volunteer>/<day>` and `<volunteer>/<fiscal year>`."""
CONTRIBUTIONS = Table(VOLUNTEERS, "contribution", Contribution)
"""`<municipality>/<month>/<kind>/<place>`."""
MAILS = Table(VOLUNTEERS, "mail", Mail)

Index = Table[Found]
ANY = "-"
"""In an index, where no code can be: every skill, every kind."""


def at(time_ms: int) -> str:
    """A time as part of a row's id, earliest first."""
    return f"{time_ms:016d}"


def index(state: Writer, table: Table[Found], row_id: str, leads_to: str, *, listed: bool) -> None:
    """Bring an index in line: the row is there if it is to be listed, and gone if not."""
    present = table.get(state, row_id) is not None
    if listed and not present:
        table.put(state, row_id, Found(leads_to))
    elif present and not listed:
        table.delete(state, row_id)
