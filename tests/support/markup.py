"""A page of the sandbox as a reader sees it: its headings, tables and links, and which elements it is made of."""

from __future__ import annotations

from collections import Counter
from html.parser import HTMLParser

TEXT_ELEMENTS = ("caption", "th", "td", "h1", "h2", "a")
"""The elements whose text is read."""


class Markup(HTMLParser):
    """A parsed page.

    Attributes:
        elements: How many there are of each.
        tables: The rows of each table's body by its caption, as the text of their cells.
        headings: The text of each heading.
        links: The address of each link, by its text.
    """

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: Counter[str] = Counter()
        self.tables: dict[str, list[list[str]]] = {}
        self.headings: list[str] = []
        self.links: dict[str, str] = {}
        self._texts: list[str] = []
        self._caption = self._href = ""
        self.feed(page)
        self.close()

    @property
    def rows(self) -> list[list[str]]:
        """The rows of the only table."""
        (rows,) = self.tables.values()
        return rows

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements[tag] += 1
        if tag in TEXT_ELEMENTS:
            self._texts.append("")
        if tag == "tr":
            self.tables[self._caption].append([])
        if tag == "tbody":
            self.tables[self._caption].clear()  # the row of headings
        if tag == "a":
            self._href = dict(attrs).get("href") or ""

    def handle_data(self, data: str) -> None:
        self._texts = [text + data for text in self._texts]

    def handle_endtag(self, tag: str) -> None:
        if tag not in TEXT_ELEMENTS:
            return
        text = self._texts.pop()
        if tag == "caption":
            self._caption = text
            self.tables[text] = []
        elif tag == "a":
            self.links[text] = self._href
        elif tag in ("th", "td"):
            self.tables[self._caption][-1].append(text.strip("\n"))
        else:
            self.headings.append(text)
