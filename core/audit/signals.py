"""What the audit tells the rest of the console."""

from django.dispatch import Signal

#: Sent with `record=AuditRecord` after the row is written and inside its transaction: what a receiver writes stands or
#: falls with it, and a receiver that raises takes the change with it.
audit_recorded = Signal()
