"""Mailboxes, frames and the forgetting of a sitter."""

import contextlib
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from installation.errors import PhotographError
from installation.studio.session import Mailbox, Message, Session, open_frame, pack_frame
from installation.studio.sitter import Sitter


def test_a_mailbox_holds_the_newest_of_each_kind_and_gives_them_in_the_order_they_came():
    news = []
    box = Mailbox(lambda: news.append(1))
    for kind, message in (("draw", 1), ("sit", "a"), ("draw", 2), ("draw", 3)):
        box.put(kind, message)
    assert (box.take(), box.take(), box.take()) == ("a", 3, None)
    assert box.replaced == 2
    assert len(news) == 4


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers())))
def test_a_mailbox_never_holds_more_than_one_of_a_kind(puts):
    box = Mailbox(lambda: None)
    for kind, message in puts:
        box.put(kind, (kind, message))
    taken = []
    while (one := box.take()) is not None:
        taken.append(one)
    assert dict(taken) == dict(puts)
    assert len(taken) == len({kind for kind, _ in puts})
    assert box.replaced == len(puts) - len(taken)


@given(st.dictionaries(st.text(max_size=8), st.integers()), st.binary(max_size=64))
def test_a_frame_comes_apart_as_it_was_put_together(header, data):
    assert open_frame(pack_frame(Message(header, data))) == (header, data)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_frame_or_a_sentence(raw):
    header, data = {}, b""
    with contextlib.suppress(PhotographError):
        header, data = open_frame(raw)
    assert isinstance(header, dict)
    assert len(data) <= len(raw)


def test_a_header_that_claims_to_be_endless_is_refused():
    with pytest.raises(PhotographError):
        open_frame((2**32 - 1).to_bytes(4, "big") + json.dumps({}).encode())


def seated():
    session = Session(lambda: None, lambda: None)
    arrays = {
        "picture": np.ones((4, 4, 3), np.uint8), "quad": np.ones((4, 2)), "crop": np.ones((2, 2, 3), np.uint8),
        "landmarks": np.ones((478, 3), np.float32), "crop_landmarks": np.ones((478, 3), np.float32),
        "encoded": np.ones((3, 2), np.float32), "w_plus": np.ones((3, 2), np.float32),
    }  # fmt: skip
    session.sit(arrays["w_plus"], [Sitter(**arrays)])
    return session, arrays


def test_who_leaves_is_overwritten_and_forgotten():
    session, arrays = seated()
    latent = session.w_plus
    session.wipe()
    assert session.w_plus is None
    assert session.faces == []
    assert not latent.any()
    assert not any(array.any() for array in arrays.values())


def test_who_comes_next_overwrites_who_sat_but_another_face_of_the_same_picture_does_not():
    session, arrays = seated()
    session.sit(np.full((3, 2), 2, np.float32), session.faces)
    assert arrays["picture"].all()
    session.sit(np.full((3, 2), 3, np.float32), [])
    assert not arrays["picture"].any()
    assert session.w_plus[0, 0] == 3


def test_a_closed_tab_is_told_nothing_more():
    session, _ = seated()
    session.tell("picture", b"pixels")
    session.close()
    session.tell("picture", b"pixels")
    assert session.messages.take() is None
