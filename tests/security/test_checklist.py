"""The security checklist (RELIABILITY, section 4), line by line: where each line is held by a test.

Most lines are tested where the code is that keeps them; this table says which test that is, and fails when one of
them is renamed away. What no other area tests stands below the table.
"""

from __future__ import annotations

import ast
import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

from detector.collectors.context import author_hash
from tests.test_layout import MODULES, ROOT, name

# line of the checklist: its tests, as file under tests/ and the function's name
LINES: dict[str, tuple[str, ...]] = {
    "fetching: http and https only, no user, no backslash, no control characters": (
        "transport/test_guard.py::test_a_malformed_or_foreign_url_opens_no_connection",
    ),
    "fetching: resolved once, every address judged, the judged one connected to": (
        "transport/test_guard.py::test_g7_a_url_that_leads_inside_opens_no_connection",
        "transport/test_guard.py::test_a_public_name_connects_to_the_judged_address",
        "transport/test_guard.py::test_a_rebinding_name_is_resolved_once_a_connection",
    ),
    "fetching: a list of refused networks, mapped and translated forms unwrapped": (
        "transport/test_guard.py::test_an_address_that_is_not_public_is_refused",
    ),
    "fetching: each redirect judged again, secrets stay with their host": (
        "transport/test_guard.py::test_a_redirect_target_is_judged_like_any_url",
        "transport/test_session.py::test_secrets_stay_with_the_host_they_are_for",
        "transport/test_session.py::test_a_post_is_sent_once_and_never_redirected",
    ),
    "fetching: nothing from the environment, no proxy, no netrc": (
        "transport/test_session.py::test_the_environment_sets_no_proxy",
    ),
    "fetching: private networks by a source's own setting only": (
        "transport/test_session.py::test_loopback_is_refused_unless_allowed",
        "transport/test_session.py::test_one_source_may_be_private_while_others_are_not",
    ),
    "fetching: a deadline, a decoded size, a ratio, one encoding": (
        "transport/test_session.py::test_the_deadline_counts_over_redirects",
        "transport/test_session.py::test_a_gzip_bomb_costs_little_memory",
        "transport/test_session.py::test_g6_a_fault_becomes_a_typed_error_and_the_next_fetch_works",
    ),
    "fetching: a user agent of our own": ("transport/test_session.py::test_a_document_arrives_with_its_validators",),
    "xml: entities, sizes, attributes, depth and items bounded before the parser": (
        "transport/test_worker.py::test_a_hostile_document_is_contained",
        "transport/test_worker.py::test_f19_an_odd_but_harmless_feed_is_read",
    ),
    "xml: feedparser is given bytes, never an address": ("security/test_static.py::test_no_module_runs_what_it_reads",),
    "xml: the worker is limited and killable": (
        "transport/test_worker.py::test_a_killed_worker_is_replaced",
        "transport/test_worker.py::test_mutated_feeds_never_escape",
        "transport/test_worker.py::test_the_worker_inherits_no_secret",
    ),
    "xml: plain text at ingest": ("transport/test_worker.py::test_text_comes_out_plain",),
    "output: slack": (
        "notify/test_escape.py::test_hostile_text_is_inert_in_slack",
        "notify/test_inert.py::test_hostile_text_is_inert_in_slack_also_in_edits_and_groups",
        "notify/test_escape.py::test_an_odd_address_is_not_offered_as_a_link",
    ),
    "output: discord": ("notify/test_inert.py::test_hostile_text_is_inert_in_discord",),
    "output: mail headers": (
        "notify/test_inert.py::test_hostile_text_is_inert_in_a_mail",
        "notify/test_mail.py::test_a_mail_arrives_as_text_with_one_line_a_header",
    ),
    "output: csv": ("security/test_checklist.py::test_no_table_for_spreadsheets_is_written",),
    "output: logs, one event a line": (
        "app/test_build.py::test_no_post_can_forge_or_hide_a_line_of_the_log",
        "app/test_build.py::test_logs_are_one_event_a_line",
    ),
    "output: terminal": (
        "notify/test_console.py::test_a_terminal_command_in_a_quote_is_taken_apart",
        "notify/test_escape.py::test_hostile_text_is_inert_in_a_terminal",
    ),
    "output: html and its policy, in a real browser": (
        "web/test_guard.py::test_every_answer_bears_the_guards",
        "web/test_vendored.py::test_no_template_trusts_text",
        "web/test_browser.py::test_what_people_wrote_never_runs",
        "web/test_pages.py::test_what_people_wrote_is_text",
    ),
    "page: this machine only, else a token and a warning": (
        "web/test_serve.py::test_serving_others_needs_a_token",
        "app/test_embed.py::test_a_page_that_others_could_reach_needs_a_token",
    ),
    "page: names are checked": (
        "web/test_guard.py::test_a_name_that_is_not_ours_gets_nothing",
        "web/test_guard.py::test_this_machines_own_names_are_answered",
    ),
    "page: writing needs origin and token, reading writes nothing": (
        "web/test_guard.py::test_another_sites_form_is_refused_even_with_cookie_and_token",
        "web/test_guard.py::test_a_form_without_its_token_is_refused",
        "web/test_guard.py::test_reading_changes_nothing",
    ),
    "page: the token and the cookie": (
        "web/test_guard.py::test_the_cookie_is_out_of_reach",
        "web/test_guard.py::test_signing_in_gives_a_session",
        "web/test_guard.py::test_with_a_token_nobody_looks_without_it",
    ),
    "page: sizes, slow clients": (
        "web/test_guard.py::test_a_large_body_is_refused",
        "web/test_guard.py::test_a_large_head_is_refused",
        "web/test_guard.py::test_a_connection_that_never_asks_is_closed",
    ),
    "page: no path to a file, values bound": (
        "security/test_static.py::test_sql_is_always_bound",
        "security/test_checklist.py::test_no_address_of_the_page_leads_to_a_file",
    ),
    "page: no question breaks it": ("web/test_api.py::test_no_question_breaks_it",),
    "webhooks: signed, in time, once": (
        "collectors/test_webhook.py::test_what_cannot_be_believed_is_refused_and_counted",
        "collectors/test_webhook.py::test_a_request_cannot_be_repeated",
        "notify/test_channels.py::test_the_webhook_is_signed_over_id_time_and_body",
    ),
    "secrets: from the environment or a private file, hidden": (
        "config/test_secret.py::test_a_secret_shows_itself_nowhere",
        "config/test_secret.py::test_a_secret_is_not_copied_out_of_the_process",
        "config/test_settings.py::test_a_secret_file_must_be_private",
        "config/test_settings.py::test_a_secret_in_the_file_is_refused_without_showing_it",
    ),
    "secrets: marked ones are found nowhere": ("security/test_canary.py::test_no_secret_is_said_written_or_shown",),
    "secrets: an address can be one": (
        "notify/test_slack.py::test_the_address_is_never_shown",
        "app/test_supervise.py::test_a_heartbeat_that_fails_is_logged_without_its_address",
    ),
    "models: checked before they are loaded, and a floor below": (
        "classify/test_artifact.py::test_f30_a_damaged_artifact_is_refused_and_the_floor_takes_over",
        "classify/test_transformer.py::test_a_damaged_artifact_is_refused_before_it_is_run",
        "app/test_build.py::test_a_missing_artifact_leaves_the_floor_with_a_visible_warning",
    ),
    "models: no pickle, no remote code": (
        "security/test_static.py::test_no_module_runs_what_it_reads",
        "classify/test_transformer.py::test_serving_needs_no_torch",
    ),
    "privacy: authors are keyed hashes, the key beside the database": (
        "app/test_build.py::test_the_key_of_authors_is_made_once_and_is_private",
        "security/test_checklist.py::test_another_key_breaks_every_link_to_a_person",
        "collectors/test_reddit.py::test_posts_say_where_they_stand_and_nothing_of_their_authors",
    ),
    "privacy: what a source deleted goes here too, from every file": (
        "app/test_backup.py::test_what_is_forgotten_is_gone_from_memory_copies_and_every_file",
        "collectors/test_reddit.py::test_the_recheck_names_what_is_gone_and_what_changed",
        "store/test_upkeep.py::test_a_forgotten_post_is_gone_from_every_file",
        "store/test_upkeep.py::test_a_forgotten_author_is_gone_with_every_post",
        "store/test_upkeep.py::test_a_saved_state_forgets_too_and_counts_the_same_people",
    ),
    "privacy: texts are kept for thirty days": ("store/test_upkeep.py::test_old_texts_go_and_counts_stay",),
    "privacy: a person can be forgotten, and shown what is kept": (
        "cli/test_commands.py::test_a_post_is_forgotten_with_its_quotes",
        "security/test_checklist.py::test_a_person_can_be_shown_what_is_kept",
    ),
    "privacy: quotes are short and name nobody": (
        "notify/test_render.py::test_no_more_than_two_voices_are_quoted_and_none_twice",
        "notify/test_escape.py::test_people_are_not_named",
    ),
    "supply chain: bandit, and no secret in the repository": (
        "security/test_static.py::test_bandit_finds_nothing_that_was_not_judged",
        "security/test_checklist.py::test_no_secret_lies_in_the_repository",
    ),
    "supply chain: no network while importing": (
        "security/test_static.py::test_nothing_reaches_for_the_network_while_it_is_imported",
    ),
}


@cache
def functions(path: Path) -> frozenset[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


@pytest.mark.parametrize("line", LINES)
def test_every_line_of_the_checklist_has_its_tests(line: str) -> None:
    """They are there under these names; whether they pass they say themselves."""
    assert LINES[line]
    for each in LINES[line]:
        path, _, function = each.partition("::")
        assert function in functions(ROOT / "tests" / path), each


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_no_table_for_spreadsheets_is_written(path: Path) -> None:
    """No CSV leaves us, so no cell can be a formula; whoever adds one escapes = + - @ and says so here."""
    assert not re.search(r"csv\.(writer|DictWriter)|\.to_csv\(|write_csv", path.read_text(encoding="utf-8"))


def test_no_address_of_the_page_leads_to_a_file(tmp_path: Path) -> None:
    """Whatever stands in a path, only what is shipped is served: no way out of the folder of static files."""
    from starlette.testclient import TestClient

    from detector.app.page import page_surroundings
    from detector.domain import EPOCH
    from detector.store import Store, open_reader
    from detector.web import create_app
    from tests.app.morning import plan

    path = tmp_path / "d.db"
    Store.open(path, now=EPOCH).close()
    (tmp_path / "outside.txt").write_text("outside", encoding="utf-8")
    app = create_app(lambda: open_reader(path), around=page_surroundings(plan(), lambda: EPOCH), hosts=["testserver"])
    with TestClient(app) as client:
        for way in ("../", "..%2f", "%2e%2e/", "..\\", "....//", "/", "%00", "vendor/../../"):
            for target in ("outside.txt", "etc/passwd", "app.py", "detector.db"):
                got = client.get(f"/static/{way * 4}{target}")
                assert got.status_code in {400, 404, 405}, (way, target, got.status_code)
                assert "outside" not in got.text
                assert "root:" not in got.text


def test_another_key_breaks_every_link_to_a_person() -> None:
    """With a new key the same name gives another hash, on every source a different one, and none holds the name."""
    hashes = {author_hash(key, source, "ada") for key in (b"a" * 32, b"b" * 32) for source in ("x", "reddit")}

    assert len(hashes) == 4
    assert not any("ada" in each for each in hashes)


_SECRET = re.compile(
    r"xox[abprs]-[0-9A-Za-z-]{10,}|gh[pousr]_[0-9A-Za-z]{30,}|AKIA[0-9A-Z]{16}|sk-[A-Za-z0-9]{32,}"
    r"|hooks\.slack\.com/services/T[0-9A-Z]{6,}/B[0-9A-Z]{6,}/[0-9A-Za-z]{20,}|-----BEGIN [A-Z ]*PRIVATE KEY-----"
)


def test_no_secret_lies_in_the_repository() -> None:
    """Neither a token of a service we speak to nor a private key, in any file that is tracked."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True)
    if done.returncode != 0:
        pytest.skip("not a git checkout")

    found = []
    for each in filter(None, done.stdout.decode().split("\0")):
        path = ROOT / each
        if path.is_file() and path.stat().st_size < 2_000_000:
            match = _SECRET.search(path.read_text(encoding="utf-8", errors="replace"))
            found += [f"{each}: {match[0][:12]}..."] if match else []
    assert found == []


def test_a_person_can_be_shown_what_is_kept(tmp_path: Path) -> None:
    """`forget --show` prints every post by an author and removes nothing."""
    import json

    from click.testing import CliRunner

    from detector.app.build import author_key
    from detector.cli import cli
    from detector.domain import EPOCH, Post
    from detector.store import Store

    path = tmp_path / "d.db"
    who = author_hash(author_key(path), "x", "ada")
    posts = [
        Post(source="x", id=str(n), created_at=EPOCH, seen_at=EPOCH, text=f"claude is down {n}", author=author)
        for n, author in enumerate((who, "another", who))
    ]
    with Store.open(path, now=EPOCH) as store:
        store.add_posts("x", posts, None, now=EPOCH)

    done = CliRunner().invoke(cli, ["forget", "--author", "x", "ada", "--show", "--db", str(path)])

    assert done.exit_code == 0, done.output
    shown = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each["id"] for each in shown] == ["0", "2"]
    assert shown[0]["text"] == "claude is down 0"
    assert not any("another" in line for line in done.stdout.splitlines())
    with Store.open(path, now=EPOCH) as store:
        assert len(store.read.posts()) == 3
