"""A description without its markup: every word, one line per block, in linear time."""

import re
import time
from html import unescape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salesbot_pipelines.catalog.model import Description
from salesbot_pipelines.catalog.normalise import text as room
from salesbot_pipelines.catalog.normalise.text import description, plain_text


@pytest.mark.parametrize(
    ("html", "plain"),
    [
        ("", ""),
        ("  plain   words\n here ", "plain words here"),
        ("Salt &amp; pepper", "Salt & pepper"),
        ("<p>One</p><p>Two</p>", "One\nTwo"),
        ("One<br>Two<br/>Three<BR />Four", "One\nTwo\nThree\nFour"),
        ("<p>a<b>b</b>c <i>d</i></p>", "abc d"),
        ("<div><div><p></p></div>Deep</div>", "Deep"),
        ("<h2>Title</h2>text", "Title\ntext"),
        ("before<p>in</p>after", "before\nin\nafter"),
        ("<ul><li>One</li><li>Two</ul>after", "- One\n- Two\nafter"),
        ("<ol>\n <li>\n  <p>One</p> <p>more</p>\n </li>\n <li></li> <li>Two</li></ol>", "- One\nmore\n- Two"),
        ("<ul><li>A<ul><li>B</li></ul></li></ul>", "- A\n- B"),
        ("<ul><li></ul>after an empty item", "after an empty item"),
        (
            "<table><tr><td>Weight</td><td>10 kg</td></tr><tr><th>Size</th><td>S</td></tr></table>",
            "Weight 10 kg\nSize S",
        ),
        ("a&nbsp;b\u00a0c\u200bd\ufeffe\u2060f\u3000g", "a b c d e f g"),
        ("\u200b\ufeff", ""),
        ("family \U0001f468\u200d\U0001f469\u200d\U0001f467", "family \U0001f468\u200d\U0001f469\u200d\U0001f467"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("<p>&lt;b&gt;not a tag&lt;/b&gt;</p>", "<b>not a tag</b>"),
        ("&am<b></b>p;", "&"),
        ("&eacute;&#233;&#xE9;&unknown;&", "ééé&unknown;&"),
        ("&#" + "9" * 5000 + ";ok &amp;", "\ufffdok &"),
        ("&#xD800;", "\ufffd"),
        ("5 < 6 and 7 > 3 <3", "5 < 6 and 7 > 3 <3"),
        ("<é> is no tag", "<é> is no tag"),
        ("<a title=\"a > b\" href='x>y'>link</a>", "link"),
        ("<p don't>text</p>", "text"),
        ("<p title=>text</p><p a=b>more", "text\nmore"),
        ("<img alt='x'>picture", "picture"),
        ("<SPAN>loud</SPAN>", "loud"),
        ("</p>closed</>first", "closedfirst"),
        ("<!doctype html><?xml?><![CDATA[x]]>text", "text"),
        ("a<!-- <p>hidden</p> -->b<!-->c<!--->d", "abcd"),
        ("日本語<br>العربية", "日本語\nالعربية"),
    ],
)
def test_markup_becomes_text(html, plain):
    assert plain_text(html) == plain


@pytest.mark.parametrize("name", ["style", "script", "template", "noscript"])
def test_the_content_of_what_is_not_shown_goes(name):
    assert plain_text(f"a<{name} x='1'>b <p>c {{</p></{name} >d") == "ad"
    assert plain_text(f"a<{name.upper()}>b</{name.title()}>d") == "ad"
    assert plain_text(f"a<{name}>b</{name}x></{name}/>d") == "ad"


def test_templates_may_hold_templates():
    assert plain_text("a<template>b<template>c</template>d</template>e") == "ae"
    assert plain_text("a<style>b<style>c</style>d") == "ad"  # a stylesheet may not hold another


@pytest.mark.parametrize(
    ("html", "plain"),
    [
        ("a<style>.x{color:red}<p>words</p>", "a\nwords"),  # the code goes, the words stay
        ("a<style>.x{color:red}", "a"),
        ("a<style>just words", "ajust words"),
        ("a<script>var x = 1; <p>words", "a\nwords"),
        ("a<script>call(1)", "a"),
        ("a<script>words<b>more", "awordsmore"),
        ("a<template><p>words { in braces }", "a\nwords { in braces }"),
        ("a<noscript>words", "awords"),
        ("a</style>b", "ab"),
        ("a<style>x{}</style", "a</style"),
        ("a<!-- b > c <p>d", "a c\nd"),
        ("a<!-- b", "a<!-- b"),
        ("a<p title='b>c</p>d", "a\nc\nd"),
        ("a<p title='b", "a<p title='b"),
        ("a<p x='1>2' b", "a\n2' b"),
        ("a</p x='1>2' b", "a\n2' b"),
        ("a<b x='>'<i y='>'c", "a''c"),
        ("a<b <c <d", "a<b <c <d"),
        ("a<!", "a<!"),
        ("a</", "a</"),
        ("a<", "a<"),
    ],
)
def test_what_is_never_closed_swallows_no_words(html, plain):
    assert plain_text(html) == plain


def test_a_description_keeps_the_html_as_it_was():
    assert description("<p>a</p>") == Description(html="<p>a</p>", plain="a")
    assert description("") == description(None) == Description(html=None, plain="")


PIECES = st.sampled_from(
    [
        *(
            "<p>",
            "</p>",
            "<b>",
            "<li>",
            "</li>",
            "<ul>",
            "</ul>",
            "<td>",
            "<br/>",
            "<!--",
            "-->",
            "<style>",
            "</style>",
        ),
        *(
            "<script>",
            "</script>",
            "<template>",
            "</template>",
            '<a x="',
            '">',
            "<a x='>'>",
            "'",
            '"',
            "=",
            "<",
            ">",
            "</",
        ),
        *(
            "&amp;",
            "&",
            ";",
            "&#",
            "{",
            "}",
            " ",
            "\n",
            "\u00a0",
            "\u200b",
            "word",
            "ß",
            "日本",
            "\x00",
            "<P",
            "/>",
            "<!",
            "<?",
        ),
    ]
)
MARKUP = st.lists(PIECES | st.text(max_size=3), max_size=25).map("".join)


@settings(max_examples=150, deadline=None)
@given(MARKUP)
def test_any_text_gives_clean_lines(html):
    plain = plain_text(html)
    for line in plain.split("\n") if plain else ():
        assert line
        assert line == " ".join(line.split())
        assert not re.search("[\u200b\u2060\ufeff]", line)


@settings(max_examples=150, deadline=None)
@given(MARKUP)
def test_the_quick_way_and_the_careful_way_agree(html):
    tags, texts = room._Scanner(html).parts()
    careful = "\n".join(room._lines(tags, texts))
    assert plain_text(html) == (careful if "<" in html else " ".join(room._clean(html).split()))


@pytest.mark.parametrize("html", ["<a x='>'>b", "<a=='>b", '<p=">">b', "<p x=>b", "<p don't>b"])
def test_a_tag_ends_at_its_own_bracket_in_every_python(html):
    # The first three were taken for regular tags by Pythons before 3.11.5, and text was lost or made of them.
    test_the_quick_way_and_the_careful_way_agree.hypothesis.inner_test(html)
    assert "b" in plain_text(html)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(alphabet="abc é&;<>{}\"'", max_size=8), max_size=8))
def test_no_word_is_lost_between_closed_tags(words):
    def escaped(word):
        return word.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

    html = "".join(f"<p class='x'>{escaped(word)}</p>" for word in words)
    assert plain_text(html).split() == [part for word in words for part in unescape(escaped(word)).split()]


@pytest.mark.parametrize(
    "unit",
    [
        *(
            "<",
            "<a",
            "<!--",
            "<style>",
            "</style ",
            "<template>",
            "<script><",
            '<a x="',
            "<a x='\"",
            '<a x=">"',
            "&",
            "<a =",
            "</",
        ),
        *("<p ", "<!-- >", "<noscript>x", "&#9", "<td", "= ", "<a " + "x" * 50),
    ],
)
@pytest.mark.parametrize("tail", ["", ">"])
def test_it_takes_linear_time(unit, tail):
    """Thirty times the text takes thirty times the work, and nine hundred times if it were quadratic."""

    def best(repeats):
        html, times = unit * repeats + tail, []
        for _ in range(3):
            started = time.process_time()
            plain_text(html)
            times.append(time.process_time() - started)
        return min(times)

    small, large = best(600), best(18_000)
    assert large < 170 * small + 0.05  # a wide margin: the machine may be busy
