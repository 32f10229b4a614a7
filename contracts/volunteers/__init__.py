"""地域貢献: volunteers and their certificates, activities and who takes part in them, reports, and points for them."""

from contracts.volunteers.contract import Volunteers

__all__ = ["Volunteers"]
