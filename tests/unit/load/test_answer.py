import pytest
import requests

from labserver.load.answer import MOST_CHARACTERS, answer_of


def answer(content, encoding=None, reason="INTERNAL SERVER ERROR"):
    response = requests.Response()
    response.status_code, response.reason, response.encoding, response._content = 500, reason, encoding, content
    return answer_of(response)


@pytest.mark.parametrize(
    ("content", "encoding", "body"),
    [
        (b"no such table: jobs", None, "no such table: jobs"),
        ("테이블이 없습니다".encode(), "ISO-8859-1", "테이블이 없습니다"),
        ("테이블이 없습니다".encode("euc-kr"), "euc-kr", "테이블이 없습니다"),
        (b"\x1b[31mred\x1b[0m \x07", None, "red �"),
        (b"\x89PNG\r\n\x1a\n\0\0\0", "ISO-8859-1", None),
        (b"\xff\xfe\xfd", None, None),
        (b"\xff\xfe\xfd", "no such encoding", None),
        (b"", None, ""),
    ],
)
def test_a_body_is_shown_where_it_is_text(content, encoding, body):
    found = answer(content, encoding)
    assert (found.status, found.reason, found.bytes, found.body) == (500, "INTERNAL SERVER ERROR", len(content), body)


@pytest.mark.parametrize("char", ["a", "é", "가", "😀"])
def test_only_the_beginning_is_kept_and_no_character_is_cut(char):
    content = (char * 5000).encode()
    for shift in range(4):
        found = answer(b"x" * shift + content)
        assert found.body == "x" * shift + char * (MOST_CHARACTERS - shift)
        assert found.bytes == shift + len(content)


def test_a_server_may_give_no_reason():
    assert not answer(b"", reason=None).reason
