"""Read one YAML file into plain data that remembers the line of every value.

The words mean what YAML 1.2 says, as in editors: only `true` and `false` are truth values, so that a category `no`
stays a word, and `010` is ten. Anchors and merge keys work; tags do not, so that nothing but plain data can be made.
"""

from __future__ import annotations

import bisect
import math
import re
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import yaml

from mlops_constructs.settings.problems import WHOLE_FILE, Path, Problem, escape, show_value

if TYPE_CHECKING:
    import pathlib

LARGEST_FILE: Final = 512 * 1024
DEEPEST: Final = 40
MOST_VALUES: Final = 50_000
_LARGEST_INTEGER: Final = 2**63 - 1
_NULL: Final = frozenset({"", "~", "null", "Null", "NULL"})
_TRUTH: Final = {word: word.lower() == "true" for word in ("true", "True", "TRUE", "false", "False", "FALSE")}
_LINE_END = re.compile(r"\r\n|\r|\n")
_INTEGER = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INFINITE: Final = {".inf": math.inf, "+.inf": math.inf, "-.inf": -math.inf, ".nan": math.nan}
_PLAIN_TAGS: Final = frozenset(
    f"tag:yaml.org,2002:{word}" for word in ("str", "int", "float", "bool", "null", "map", "seq", "timestamp", "value")
)
_MERGE_TAG: Final = "tag:yaml.org,2002:merge"


@dataclass(kw_only=True)
class Document:
    """The content of one file: data, where each value stands, and what could not be read."""

    file: str
    data: Any = None
    lines: dict[Path, int] = field(default_factory=dict)
    texts: dict[Path, str] = field(default_factory=dict)
    """Numbers, truth values and nothings as they were written, by path."""
    problems: list[Problem] = field(default_factory=list)
    unreadable: set[Path] = field(default_factory=set)
    """Paths of values that were reported as problems while reading."""

    def line(self, path: Path) -> int:
        """Find the line of a value, or of the nearest thing around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def show(self, path: Path, value: object) -> str:
        """Write a value as the file has it."""
        return escape(self.texts[path] or "(empty)") if path in self.texts else show_value(value)

    def report(self, path: Path, line: int, message: str, *, value: str, allowed: str, remedy: str) -> None:
        """Note a problem of the file itself."""
        self.problems.append(
            Problem(file=self.file, line=line, path=path, message=message, value=value, allowed=allowed, remedy=remedy)
        )


def read(path: pathlib.Path, *, file: str) -> Document:
    """Read a YAML file; whatever is wrong with it ends up in the document's problems."""
    document = Document(file=file)
    text = _read_text(path, document)
    if text is not None:
        parse(text, document)
    return document


def parse(text: str, document: Document) -> None:
    """Fill `document` from the text of a YAML file."""
    loader: _Loader | None = None
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        _report_syntax(error, text, document)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        value = f"U+{error.character:04X}" if isinstance(error.character, int) else ascii(error.character)
        document.report(
            WHOLE_FILE,
            line,
            "has a control character",
            value=value,
            allowed="printable text, line ends and spaces",
            remedy="delete the character, or write it as an escape in double quotes",
        )
    except _TooDeepError as error:
        _report_size(document, error.line, f"is nested more than {DEEPEST} levels deep")
    except (ValueError, OverflowError):  # a \U escape beyond Unicode, in text in double quotes
        document.report(
            WHOLE_FILE,
            loader.get_mark().line + 1 if loader else 1,
            "has an escape that is not a character",
            value="an escape such as \\UFFFFFFFF",
            allowed="characters of Unicode",
            remedy="write the character itself",
        )
    else:
        if node is not None:
            _Conversion(document).convert_root(node)
        _require_mapping(document)


class _TooDeepError(Exception):
    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


class _TooManyError(Exception):
    pass


class _Loader(
    yaml.reader.Reader, yaml.scanner.Scanner, yaml.parser.Parser, yaml.composer.Composer, yaml.resolver.Resolver
):
    """Composes nodes; there is no constructor, so that no object can be made from a tag."""

    def __init__(self, text: str) -> None:
        self.starts = [found.end() for found in _LINE_END.finditer(text)]
        yaml.reader.Reader.__init__(self, text)
        yaml.scanner.Scanner.__init__(self)
        yaml.parser.Parser.__init__(self)
        yaml.composer.Composer.__init__(self)
        yaml.resolver.Resolver.__init__(self)
        self.depth = 0

    def get_mark(self) -> yaml.Mark:
        """Say where the loader is, in lines as editors count them: YAML 1.1 knows three more ends of a line."""
        mark = super().get_mark()
        mark.line = bisect.bisect_right(self.starts, mark.index)
        return mark

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self.depth += 1
        if self.depth > DEEPEST:
            raise _TooDeepError(self.get_mark().line + 1)
        node: yaml.Node | None = super().compose_node(parent, index)
        self.depth -= 1
        return node


class _Conversion:
    """Turns nodes into plain data, counting values so that aliases of aliases cannot fill the memory."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.count = 0
        self.open: list[yaml.Node] = []

    def convert_root(self, node: yaml.Node) -> None:
        document = self.document
        document.lines[WHOLE_FILE] = _line(node)
        try:
            document.data = self.convert(node, WHOLE_FILE)
        except _TooManyError:
            document.unreadable.add(WHOLE_FILE)
            _report_size(document, _line(node), "is too large once its aliases are filled in")

    def convert(self, node: yaml.Node, path: Path) -> Any:
        self.count += 1
        if self.count > MOST_VALUES or len(self.open) > DEEPEST:  # aliases of aliases
            raise _TooManyError
        if node in self.open:
            return self.refuse(node, path, "contains itself", allowed="values", remedy="remove the alias")
        if node.tag not in _PLAIN_TAGS and node.tag != _MERGE_TAG:
            tag = node.tag.replace("tag:yaml.org,2002:", "!!")
            return self.refuse(
                node, path, f"has the tag {escape(tag)}", allowed="values without tags", remedy="remove the tag"
            )
        self.open.append(node)
        try:
            if isinstance(node, yaml.MappingNode):
                return self.convert_mapping(node, path)
            if isinstance(node, yaml.SequenceNode):
                return self.convert_sequence(node, path)
            return self.convert_scalar(node, path)
        finally:
            self.open.pop()

    def convert_sequence(self, node: yaml.SequenceNode, path: Path) -> list[Any]:
        items = []
        for index, item in enumerate(node.value):
            self.document.lines[*path, index] = _line(item)
            items.append(self.convert(item, (*path, index)))
        return items

    def convert_mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        result: dict[str, Any] = {}
        merged: list[tuple[yaml.Node, yaml.Node]] = []
        for key, value in node.value:
            if key.tag == _MERGE_TAG:
                merged.append((key, value))
            elif not isinstance(key, yaml.ScalarNode) or _has_half_character(key.value):
                remedy = "write a word before the colon"
                self.refuse(key, path, "has a key that is not a word", allowed="words as keys", remedy=remedy)
            elif key.value in result:
                self.refuse_duplicate(key, (*path, key.value))
            else:
                self.document.lines[*path, key.value] = _line(key)
                result[key.value] = self.convert(value, (*path, key.value))
        for key, value in merged:
            self.merge(result, key, value, path)
        return result

    def merge(self, result: dict[str, Any], key: yaml.Node, value: yaml.Node, path: Path) -> None:
        sources = value.value if isinstance(value, yaml.SequenceNode) else [value]
        for source in sources:
            if not isinstance(source, yaml.MappingNode) or source in self.open:
                remedy = "name the anchor of a mapping, as in '<<: *name'"
                self.refuse(key, path, "merges something that is not a mapping", allowed="mappings", remedy=remedy)
                continue
            if len(self.open) > DEEPEST:
                raise _TooManyError
            self.open.append(source)
            inherited = yaml.MappingNode(
                source.tag,
                [(name, item) for name, item in source.value if not _is_among(name, result)],
                source.start_mark,
                source.end_mark,
            )
            result.update(self.convert_mapping(inherited, path))
            self.open.pop()

    def convert_scalar(self, node: yaml.Node, path: Path) -> Any:
        text = str(node.value)
        if _has_half_character(text):
            remedy = "write the character itself"
            return self.refuse(node, path, "has half a character", allowed="characters of Unicode", remedy=remedy)
        if getattr(node, "style", None):  # quoted or a block: always text
            return text
        value = _plain(text)
        if isinstance(value, int) and abs(value) > _LARGEST_INTEGER:
            remedy = "write a smaller number, or quotes around it"
            allowed = f"at most {_LARGEST_INTEGER}"
            return self.refuse(node, path, "is too large for a whole number", allowed=allowed, remedy=remedy)
        if not isinstance(value, str):
            self.document.texts[path] = text
        return value

    def refuse(self, node: yaml.Node, path: Path, message: str, *, allowed: str, remedy: str) -> None:
        self.document.unreadable.add(path)
        value = escape(node.value) if isinstance(node.value, str) else show_value(node.value)
        self.document.report(path, _line(node), message, value=value, allowed=allowed, remedy=remedy)

    def refuse_duplicate(self, key: yaml.ScalarNode, path: Path) -> None:
        self.document.report(
            path,
            _line(key),
            f"is there twice, first on line {self.document.lines[path]}",
            value=escape(key.value),
            allowed="each key once",
            remedy="keep one of the two lines",
        )


def _plain(text: str) -> str | int | float | bool | None:
    """Read a word without quotes, by the rules of YAML 1.2."""
    if text in _NULL:
        return None
    if text in _TRUTH:
        return _TRUTH[text]
    if text.lower() in _INFINITE:
        return _INFINITE[text.lower()]
    if _INTEGER.fullmatch(text):
        # More digits than any number has here; Python refuses to read very many.
        return int(text) if len(text) <= len(str(_LARGEST_INTEGER)) + 1 else _LARGEST_INTEGER + 1
    return float(text) if _FLOAT.fullmatch(text) else text


def _has_half_character(text: str) -> bool:
    return any("\ud800" <= each <= "\udfff" for each in text)


def _is_among(key: yaml.Node, names: dict[str, Any]) -> bool:
    return isinstance(key, yaml.ScalarNode) and key.value in names


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _read_text(path: pathlib.Path, document: Document) -> str | None:
    allowed, remedy = "a text file that you may read", "check the file, its permissions and what links point to"
    try:
        mode, size = path.stat().st_mode, path.stat().st_size
        if not stat.S_ISREG(mode):
            value = "a folder" if stat.S_ISDIR(mode) else "a device or pipe"
            document.report(WHOLE_FILE, 1, "is not a file", value=value, allowed=allowed, remedy=remedy)
            return None
        if size > LARGEST_FILE:
            _report_size(document, 1, f"has {size} bytes")
            return None
        raw = path.read_bytes()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        document.report(WHOLE_FILE, 1, "cannot be read", value=reason, allowed=allowed, remedy=remedy)
        return None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        value = f"byte 0x{raw[error.start]:02X} at position {error.start}"
        document.report(
            WHOLE_FILE, line, "is not UTF-8 text", value=value, allowed="UTF-8", remedy="save the file as UTF-8"
        )
        return None


def _require_mapping(document: Document) -> None:
    if document.unreadable & {WHOLE_FILE} or isinstance(document.data, dict):
        return
    message = "is empty" if document.data is None else "is not a mapping"
    allowed = "a mapping: lines of the form 'key: value'"
    remedy = "fill it in, or delete the file" if document.data is None else "start with the keys of the settings"
    value = document.show(WHOLE_FILE, document.data)
    document.report(WHOLE_FILE, document.line(WHOLE_FILE), message, value=value, allowed=allowed, remedy=remedy)


def _report_size(document: Document, line: int, message: str) -> None:
    document.report(
        WHOLE_FILE,
        line,
        message,
        value="too large",
        allowed=f"at most {LARGEST_FILE} bytes, {DEEPEST} levels and {MOST_VALUES} values",
        remedy="split or shorten the file",
    )


def _report_syntax(error: yaml.MarkedYAMLError, text: str, document: Document) -> None:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 1
    lines = _LINE_END.split(text)
    source = lines[line - 1] if line <= len(lines) else ""
    reason, remedy = " ".join(filter(None, (error.context, error.problem))), "repair the line, or the one before it"
    allowed = "YAML"
    if "\t" in source[: len(source) - len(source.lstrip())] or "'\\t'" in reason:
        reason, allowed, remedy = "a tab is used for indentation", "spaces", "replace the tab by spaces"
    elif "single document" in reason:
        reason, allowed, remedy = "there is a second document", "one document", "remove the line '---' in the middle"
    document.report(
        WHOLE_FILE, line, f"is not YAML: {escape(reason)}", value=escape(source.strip()) or "(empty line)",
        allowed=allowed, remedy=remedy,
    )  # fmt: skip
