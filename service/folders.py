"""Whether the folders that the settings name can be written to, found out before anything is
answered: each is made, if it is not there."""

import tempfile
from pathlib import Path

from service.settings import Settings, WrongSetting


def check_folders(settings: Settings, *, of_another: bool) -> None:
    """WrongSetting, naming the setting, when the keeper's folder or the exports' is of no use.

    ``of_another``: the keeper may run as another user, who alone may enter its folder.
    """
    if settings.export_at is not None:
        why = _why_useless(settings.exports, 0o777)
        if why:
            raise _wrong("LEDGER_EXPORT_DIR", settings.exports, why)
    why = _why_useless(settings.keeper, 0o700)
    if why and not (of_another and isinstance(why, PermissionError)):
        raise _wrong("LEDGER_KEEPER_DIR", settings.keeper, why)


def _why_useless(folder: Path, mode: int) -> OSError | None:
    try:
        folder.mkdir(mode, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return None
    except OSError as why:
        return why


def _wrong(variable: str, folder: Path, why: OSError) -> WrongSetting:
    return WrongSetting(f"{variable}: the folder '{folder}' cannot be used: {why.strerror}.")
