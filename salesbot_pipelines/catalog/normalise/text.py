"""Merchants' HTML as plain text, by a scanner that reads each character once.

The promise: any text gives a text, in linear time, and no words are lost because a tag was not closed. Content of
style, script, template and noscript goes, entities are decoded, block elements end a line, list items begin with
"- ", every run of white space becomes one blank, and empty lines go. It is no sanitiser: `description.html` stays as
the merchant wrote it. The standard library's parser is not used: some unclosed markup costs it quadratic time.
"""

from __future__ import annotations

import re
from html import unescape
from string import ascii_letters

from salesbot_pipelines.catalog.model import Description

_BLOCK_NAMES = """
address article aside blockquote body br caption center dd details dialog dir div dl dt fieldset figcaption figure
footer form h1 h2 h3 h4 h5 h6 head header hgroup hr html legend li main menu nav ol optgroup option p pre search
section summary table tbody tfoot thead title tr ul
"""
_ENDS = {slash + name: "line" for name in _BLOCK_NAMES.split() for slash in ("", "/")}
_ENDS |= {"li": "item", "/li": "list", "ol": "list", "/ol": "list", "ul": "list", "/ul": "list"}
_ENDS |= {"td": "cell", "/td": "cell", "th": "cell", "/th": "cell"}
"""What a tag does to the line before it; a list's tags also end an item that holds nothing."""

_DROPPED = frozenset(("noscript", "script", "style", "template"))
_LETTERS = frozenset(ascii_letters)
_CODE = {"script": re.compile(r"[{}=;]|\w\("), "style": re.compile("[{}@]")}
"""What tells a script or a stylesheet from a sentence."""

# Every alternative begins and ends in one way only, so that going back through them finds nothing and costs no second
# pass. A possessive group would say it shorter; Python before 3.11.5 matches those wrongly (CPython issue 106052).
# Tags whose quotes are in order and hide no brackets, which is nearly all of them: one pass in C takes a text apart.
_REGULAR_TAG = re.compile(
    r"""<(/?[a-zA-Z][^\s/<>"'=]*+)(?:[^<>"'=]++|=\s*+"[^<>"]*+"|=\s*+'[^<>']*+'|=\s*+(?!["']))*>"""
)
# A quote counts only after an equals sign, as in HTML: <p don't> ends at its own bracket.
_TAG = re.compile(
    r"""<(/?[a-zA-Z][^\s/>]*+)"""
    r"""(?:[^>=]++|=\s*+"[^"]*+"|=\s*+'[^']*+'|=(?!\s*+(?:"[^"]*+"|'[^']*+')))*>"""
)
_NAME = re.compile(r"/?[^\s/>]+")
_TAG_BEGINS = re.compile(r"<[a-zA-Z/!]")
_DROPPED_TAG = {name: re.compile(rf"<(/?){name}(?=[\s/>])", re.IGNORECASE) for name in _DROPPED}
# Zero-width joiners stay: emoji and Persian words are made with them. The others only pretend to be nothing.
_ZERO_WIDTH = re.compile("[\u180e\u200b\u2060\ufeff]")
_LONG_NUMBER = re.compile(r"&#[0-9]{1000,};?")


def plain_text(html: str) -> str:
    """Return the text a reader of the page would see, a line per block."""
    if "<" not in html:
        return " ".join(_clean(html).split())
    texts = _REGULAR_TAG.split(html)
    tags = [tag.lower() for tag in texts[1::2]]
    if len(tags) == html.count("<") and _DROPPED.isdisjoint(tags):
        del texts[1::2]
    else:
        tags, texts = _Scanner(html).parts()
    return "\n".join(_lines(tags, texts))


def description(html: object) -> Description:
    """Return both forms of a description; no text is html null and plain ""."""
    if not isinstance(html, str) or not html:
        return _NOTHING
    return Description(html=html, plain=plain_text(html))


_NOTHING = Description(html=None, plain="")


def _clean(text: str) -> str:
    """Decode entities, and make blanks of the characters that only pretend to be nothing."""
    if "&" in text:
        try:
            text = unescape(text)
        except ValueError:  # Python refuses to read numbers of thousands of digits
            text = unescape(_LONG_NUMBER.sub("\ufffd", text))
    return text if text.isascii() else _ZERO_WIDTH.sub(" ", text)


def _lines(tags: list[str], texts: list[str]) -> list[str]:
    """Put texts together, with one tag between each two: its lower-case name, a slash before it when it closes."""
    lines = []
    line = [texts[0]]
    bullet = ""
    for tag, text in zip((*tags, "/body"), (*texts[1:], ""), strict=True):
        ending = _ENDS.get(tag)
        if ending is None:
            line.append(text)
            continue
        if ending == "cell":
            line += (" ", text)
            continue
        words = _clean("".join(line)).split()
        line = [text]
        if words:
            lines.append(bullet + " ".join(words))
            bullet = ""
        if ending != "line":
            bullet = "- " if ending == "item" else ""
    return lines


class _Scanner:
    """The careful way, for markup that is not regular: comments, stray brackets, dropped elements, open quotes."""

    def __init__(self, html: str) -> None:
        self._html = html
        self._last_bracket = html.rfind(">")
        self._tags: list[str] = []
        self._texts: list[str] = []
        self._trusts_quotes = True
        self._unclosed: set[str] = set()

    def parts(self) -> tuple[list[str], list[str]]:
        """Return the tags, and the texts around them; "" is a tag that means nothing."""
        html, position = self._html, 0
        while (start := html.find("<", position)) >= 0:
            self._texts.append(html[position:start])
            self._tags.append("")
            position = self._markup(start)
        self._texts.append(html[position:])
        return self._tags, self._texts

    def _markup(self, start: int) -> int:
        """Take what begins with "<" at `start`; return where to go on."""
        html = self._html
        if start > self._last_bracket:  # no tag can end any more, so none is looked for
            return self._bracket(start)
        if self._trusts_quotes and (tag := _TAG.match(html, start)):
            return self._tag(tag[1].lower(), tag.end())
        first, second = html[start + 1 : start + 2], html[start + 2 : start + 3]
        is_tag = first in _LETTERS or (first == "/" and second in _LETTERS)
        if not (is_tag or first in ("!", "?", "/")):
            return self._bracket(start)
        if not is_tag:
            return self._comment(start)
        # It has no end outside quotes: from here on the first bracket ends a tag, or a long text would be read again
        # and again.
        self._trusts_quotes = False
        end = html.index(">", start)
        name = _NAME.match(html, start + 1, end)
        assert name is not None
        return self._tag(name[0].lower(), end + 1)

    def _bracket(self, start: int) -> int:
        self._texts.append("<")
        self._tags.append("")
        return start + 1

    def _comment(self, start: int) -> int:
        if self._html.startswith("<!--", start) and "-->" not in self._unclosed:
            end = self._html.find("-->", start + 2)
            if end >= 0:
                return end + 3
            self._unclosed.add("-->")
        return self._html.index(">", start) + 1

    def _tag(self, name: str, end: int) -> int:
        self._tags[-1] = name
        return self._after_dropped(name, end) if name in _DROPPED else end

    def _after_dropped(self, name: str, start: int) -> int:
        """Return the end of an element whose content is dropped; templates may hold templates."""
        depth = 1
        if name not in self._unclosed:
            for tag in _DROPPED_TAG[name].finditer(self._html, start, self._last_bracket + 1):
                if not tag[1]:
                    depth += name == "template"
                elif (depth := depth - 1) == 0:
                    return self._html.index(">", tag.end()) + 1
            self._unclosed.add(name)
        # Never closed. A browser would hide the rest of the page; a bot should know it. What looks like code goes, up
        # to the next tag.
        following = _TAG_BEGINS.search(self._html, start)
        end = following.start() if following else len(self._html)
        return end if name in _CODE and _CODE[name].search(self._html, start, end) else start
