"""Text as the programs of an office write it: UTF-8 with or without its mark, UTF-16, Windows-1252.

Excel saves "CSV UTF-8" with a mark, "Unicode text" as UTF-16, and plain "CSV" in the code page of
Windows; PowerShell 5 writes UTF-16 with ``>``.
"""

import codecs

from scdcli.errors import InputError

WORKBOOKS = {b"PK\x03\x04": "an .xlsx or .ods workbook", b"\xd0\xcf\x11\xe0": "an .xls workbook"}
WIDE = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
ANSI = "cp1252"
REMEDY = "save it as UTF-8"


def decode(content: bytes, name: str) -> str:
    """The text of a file in UTF-8 or UTF-16, without its mark.

    Raises:
        InputError: It is in another encoding, or no text.
    """
    for mark, kind in WORKBOOKS.items():
        if content.startswith(mark):
            raise InputError(f'{name} is {kind}, not text; save it as "CSV UTF-8" there.')
    encoding = WIDE.get(content[:2]) or _wide_without_mark(content) or "utf-8-sig"
    try:
        text = content.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        byte = content[error.start : error.start + 1]
        sign = byte.decode(ANSI, errors="ignore")
        reading = f", which Windows-1252 has for {sign}" if sign > "\x7f" else ""
        raise InputError(
            f"{name} is not {encoding.upper().removesuffix('-SIG')} text: byte 0x{byte.hex()} at "
            f"{error.start}{reading}; {REMEDY}."
        ) from error
    if "\0" in text:
        raise InputError(f"{name} is no text: it holds a zero byte; {REMEDY}.")
    return text


def decode_ansi(content: bytes, name: str) -> tuple[str, str]:
    """The text of a file in UTF-8, UTF-16 or else Windows-1252, and its name for messages.

    Almost any bytes are valid Windows-1252, so the name says where that is a guess.

    Raises:
        InputError: It is in none of these encodings, or no text.
    """
    try:
        return decode(content, name), name
    except InputError as error:
        cause = error.__cause__
        if not isinstance(cause, UnicodeDecodeError) or cause.encoding != "utf-8":
            raise
        try:
            text = content.decode(ANSI)
        except UnicodeDecodeError:
            raise error from cause
        if "\0" in text:
            raise
        return text, f"{name} (not UTF-8, read as Windows-1252)"


def _wide_without_mark(content: bytes) -> str | None:
    """UTF-16 of mostly Latin letters: every other byte is zero."""
    head = content[:64]
    if len(head) < 4 or len(head) % 2:
        return None
    for encoding, zeros, letters in (
        ("utf-16-le", head[1::2], head[::2]),
        ("utf-16-be", head[::2], head[1::2]),
    ):
        if not any(zeros) and all(letters):
            return encoding
    return None
