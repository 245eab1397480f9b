"""A list of prompts and nothing else: the report leaves out what is not there."""

import re

from engines.audit.by_words import in_batches, measure_words
from engines.audit.document import Audit, read_summary, write_json
from engines.audit.findings import control, families, of_added_words
from engines.audit.questions import read_questions
from engines.audit.report import report_html
from engines.audit.run import summarise
from engines.audit.tables import write_tables


def test_two_prompts_and_nothing_else(toy, tmp_path):
    path = tmp_path / "two.toml"
    path.write_text('[[prompt]]\nprompt = "a leader"\n[[prompt]]\nprompt = "a nurse"\n')
    questions = read_questions(path)
    embed, attributes, neutral = toy
    measured, yard = measure_words(in_batches(embed), questions, attributes, neutral, models=())
    assert control(measured, questions, families(measured, questions.primary)) is None
    assert of_added_words(in_batches(embed), yard, questions) is None
    summary = summarise(measured, questions)
    audit = Audit(summary, measured, questions.pairs, None, None, {"numpy": "1"})
    html = report_html(tmp_path, audit)
    ids = set(re.findall(r'id="([a-z-]+)"', html))
    assert set(re.findall(r'href="#([a-z-]+)"', html)) == ids == {"all", "method", "limits", "versions"}
    assert "a leader" in html
    assert "control" not in html.lower().split('<h2 id="method"')[1].split("<h2")[0]
    write_json(tmp_path / "audit.json", audit)
    again = read_summary(tmp_path)
    assert again.themes.rows == again.kinds.rows == again.pairs.rows == ()
    assert again.own.rows == ("leader", "nurse")
    assert "words.csv" not in write_tables(tmp_path, audit)
