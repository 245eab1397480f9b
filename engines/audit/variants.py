"""The variants of a prompt: the same wish in other words, and the same words with one more.

Eight kinds. A kind that has nothing to change in a prompt (the order of a single word) leaves it out.
"""

from __future__ import annotations

import re

AS_IS = "as it is"
WOMAN, MAN, GENDER = "+ woman", "+ man", "+ gender"
PERSON = "without “person”"
ORDER = "word order"
REALISTIC = "realistic portrait"
OVERBEARING = "+ overbearing word"
KINDS = (AS_IS, WOMAN, MAN, GENDER, PERSON, ORDER, REALISTIC, OVERBEARING)

SLUGS = {
    AS_IS: "as_is",
    WOMAN: "woman",
    MAN: "man",
    GENDER: "gender",
    PERSON: "person",
    ORDER: "order",
    REALISTIC: "realistic",
    OVERBEARING: "overbearing",
}
"""Kind -> what a folder of its pictures is called: `<prompt>.<slug>`."""

_PERSON = re.compile(r"\bperson\b", re.IGNORECASE)
_ARTICLE = r"(?:an?|the)"
_JOINT = re.compile(r"^(?P<head>.+?)\s+(?:of|in|with|for|at|from|who)\s+(?P<tail>.+)$", re.IGNORECASE)


def variants_of(prompt: str, overbearing: str = "") -> dict[str, str]:
    """Write the variants of a prompt: kind -> text, in the order of `KINDS`, without those that change nothing.

    `PERSON` compares a text with and without that word. Where the prompt has it, the variant lacks it; where the prompt
    lacks it, the variant has it, and `sign` turns the comparison round.

    Args:
        prompt: As given.
        overbearing: The word of the last kind; none if empty.
    """
    texts = {
        AS_IS: prompt,
        WOMAN: added(prompt, "woman"),
        MAN: added(prompt, "man"),
        GENDER: added(prompt, "gender"),
        PERSON: _without_person(prompt) if _PERSON.search(prompt) else added(prompt, "person"),
        ORDER: _reordered(prompt),
        REALISTIC: _realistic(prompt),
        OVERBEARING: added(prompt, overbearing) if overbearing else prompt,
    }
    return {kind: text for kind, text in texts.items() if kind == AS_IS or text not in ("", prompt)}


def sign(prompt: str, kind: str) -> int:
    """+1 where the variant is what its name says, -1 where the prompt as it is was that already."""
    return -1 if kind == PERSON and not _PERSON.search(prompt) else 1


def added(prompt: str, word: str) -> str:
    """Append one word, as in a list of wishes; a prompt that has it already stays as it is."""
    return prompt if re.search(rf"\b{re.escape(word)}\b", prompt, re.IGNORECASE) else f"{prompt}, {word}"


def _without_person(prompt: str) -> str:
    """Leave the word out, and the article or preposition that would then hang in the air."""
    text = re.sub(rf"\b{_ARTICLE}\s+person\b", "", prompt, flags=re.IGNORECASE)
    text = " ".join(_PERSON.sub("", text).split())
    text = re.sub(rf"\s+of(?:\s+{_ARTICLE})?$", "", text, flags=re.IGNORECASE)
    text = re.sub(rf"^(.+?)\s+of\s+{_ARTICLE}\s+(\S+)$", r"\1, \2", text, flags=re.IGNORECASE)
    return re.sub(r"^an?\s+(?=\S+$)", "", text, flags=re.IGNORECASE).strip(" ,")


def _reordered(prompt: str) -> str:
    """The last thing first: what follows the first preposition, or else the last word."""
    joint = _JOINT.match(prompt)
    if joint:
        return f"{joint['tail']}, {joint['head']}"
    words = re.sub(rf"^{_ARTICLE}\s+", "", prompt, flags=re.IGNORECASE).split()
    return f"{words[-1]}, {' '.join(words[:-1])}" if len(words) > 1 else prompt


def _realistic(prompt: str) -> str:
    if re.match(r"(?:an?\s+|the\s+)?portrait\b", prompt, re.IGNORECASE):
        return re.sub(r"^(?:an?\s+|the\s+)?portrait\b", "realistic portrait", prompt, flags=re.IGNORECASE)
    return f"realistic portrait of {prompt}"
