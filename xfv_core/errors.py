"""The one base class of everything that is said to a user when something cannot be done."""


class XfvError(Exception):
    """A problem the user can act on; the message is one sentence and is shown as it is."""
