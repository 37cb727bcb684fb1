"""A report: figures and tables, as Markdown for people and as JSON for programs."""

import json

import msgspec


class Section(msgspec.Struct, frozen=True, kw_only=True):
    title: str
    lines: tuple[str, ...] = ()
    heads: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


class Report(msgspec.Struct, frozen=True, kw_only=True):
    kind: str
    title: str
    at: float
    position: int
    rules: str
    figures: dict[str, float]
    sections: tuple[Section, ...]


def as_json(report: Report) -> str:
    return json.dumps(msgspec.to_builtins(report), indent=1, ensure_ascii=False) + "\n"


def as_markdown(report: Report) -> str:
    lines = [f"# {report.title}", "", f"Log position {report.position:,}, rules {report.rules or 'none'}.", ""]
    lines += [f"- {name.replace('_', ' ')}: {value:g}" for name, value in report.figures.items()]
    for section in report.sections:
        lines += ["", f"## {section.title}", ""]
        lines += [f"- {line}" for line in section.lines]
        if section.heads:
            rows = [tuple(_cell(cell) for cell in row) for row in section.rows] or [("–",) * len(section.heads)]
            lines += [_row(section.heads), _row(("---",) * len(section.heads)), *map(_row, rows)]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"
