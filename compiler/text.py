"""A source to its documents, whatever syntax it is in; and places in it to lines.

JSON is told from YAML by its first character. YAML's flow style begins the same way, so what is
not JSON after all is tried as YAML, unless the file's name says JSON.
"""

from compiler.json_text import find_json_lines, read_json
from compiler.reading import SURROGATE, Fault, Path, Reading, Tree
from compiler.source import Source


def read_source(source: Source) -> Reading:
    """Read one source. What is wrong with its form comes back as faults."""
    text = _text_of(source)
    if not text.isascii() and (half := SURROGATE.search(text)):
        line = text.count("\n", 0, half.start()) + 1
        return Reading(syntax="YAML", faults=(Fault(line, "is not text: it is not in UTF-8"),))
    if not text.strip():
        return Reading(syntax="YAML")
    must_be_json = source.name.endswith(".json")
    if not must_be_json and not text.lstrip().startswith(("{", "[")):
        return _read_yaml(text)
    reading = read_json(text)
    if must_be_json or not reading.faults:
        return reading
    as_yaml = _read_yaml(text)
    must_be_yaml = source.name.endswith((".yaml", ".yml"))
    return as_yaml if must_be_yaml or not as_yaml.faults else reading


def find_lines(source: Source, reading: Reading, wanted: Tree) -> dict[Path, int]:
    """Return the lines of those wanted places that are written in a source.

    A path's first step is the document's index. A key's line is where the key stands.
    """
    text = _text_of(source)
    if reading.syntax == "JSON":
        return find_json_lines(text, wanted)
    from compiler.yaml_lines import find_yaml_lines  # noqa: PLC0415 - as below

    return find_yaml_lines(text, wanted)


def _read_yaml(text: str) -> Reading:
    from compiler.yaml_text import read_yaml  # noqa: PLC0415 - 15 ms that JSON should not pay

    return read_yaml(text)


def _text_of(source: Source) -> str:
    """Return the text without the byte order mark that some shells put before what they write."""
    return source.text.removeprefix("\ufeff")
