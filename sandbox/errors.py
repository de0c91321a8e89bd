"""What can go wrong for the person at the terminal; the message says what to do."""


class SandboxError(Exception):
    """Shown without a traceback; the command ends with exit code 1."""


class ToolMissingError(SandboxError):
    """A program the sandbox needs is not on the machine."""


class RevertedError(SandboxError):
    """A transaction was mined and failed; `reason` is the innermost error, custom errors by name."""

    def __init__(self, action: str, reason: str) -> None:
        super().__init__(f"{action} reverted: {reason}")
        self.action, self.reason = action, reason
