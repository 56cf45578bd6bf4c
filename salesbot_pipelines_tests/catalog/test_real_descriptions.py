"""Every word of the real descriptions beside the checkout, against the standard library's parser."""

import csv
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from salesbot_pipelines.catalog.normalise.text import plain_text

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data"
INLINE = {"a", "b", "em", "font", "i", "small", "span", "strong", "sub", "sup", "u"}
DROPPED = {"noscript", "script", "style", "template"}

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not FOLDER.is_dir(), reason="real shops' descriptions are not part of this project"),
]


class Words(HTMLParser):
    """A parser that shares nothing with ours; good for markup that is closed, as all of this is."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.parts, self.dropped = [], 0
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.dropped += tag in DROPPED
        self.parts.append("" if tag in INLINE else " ")

    def handle_endtag(self, tag):
        self.dropped -= tag in DROPPED
        self.parts.append("" if tag in INLINE else " ")

    def handle_data(self, data):
        if not self.dropped:
            self.parts.append(re.sub("[\u200b\u2060\ufeff]", " ", data))


def bodies():
    for path in sorted(FOLDER.glob("*.csv")):
        with path.open(encoding="utf-8-sig", newline="") as file:
            for row in csv.DictReader(file):
                if row.get("Body (HTML)"):
                    yield row["Body (HTML)"]


def test_every_word_of_real_descriptions_is_kept_in_order():
    texts = list(bodies())
    assert len(texts) > 300
    for html in texts:
        words = [word for line in plain_text(html).split("\n") for word in line.removeprefix("- ").split()]
        assert words == "".join(Words(html).parts).split()
