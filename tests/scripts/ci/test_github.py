"""One comment and one issue, kept up to date; and nobody else's touched."""

import pytest

from scripts.ci import __main__ as program
from scripts.ci.github import MAX_BODY, GithubError
from scripts.ci.jobs import Jobs, NeedsApproval
from scripts.ci.seal import SealBroken
from scripts.ci.surroundings import Surroundings

MARKER = "flanstack prod plan"


def test_the_comment_is_written_once_and_then_changed(github):
    first = github.client().upsert_comment(7, MARKER, "one")
    second = github.client().upsert_comment(7, MARKER, "two")

    assert first == second
    assert [one["body"] for one in github.documents["comments"].values()] == [f"<!-- {MARKER} -->\ntwo"]
    assert github.tokens == {"Bearer t0ken"}


def test_each_deployment_has_a_comment_of_its_own(github):
    github.client().upsert_comment(7, MARKER, "prod")
    github.client().upsert_comment(7, "flanstack dev plan", "dev")

    assert len(github.documents["comments"]) == 2


def test_a_comment_of_somebody_else_with_our_marker_is_left_alone(github):
    theirs = github.add("comments", user="mallory", body=f"<!-- {MARKER} -->\ntheirs")

    github.client().upsert_comment(7, MARKER, "ours")

    assert theirs["body"].endswith("theirs")
    assert len(github.documents["comments"]) == 2


def test_our_comment_is_found_behind_many_others(github):
    for number in range(120):
        github.add("comments", user="ada", body=f"comment {number}")
    github.client().upsert_comment(7, MARKER, "one")
    github.client().upsert_comment(7, MARKER, "two")

    assert len(github.documents["comments"]) == 121


def test_a_comment_stays_within_github_s_limit(github):
    github.client().upsert_comment(7, MARKER, "x" * 100_000)

    (comment,) = github.documents["comments"].values()
    assert len(comment["body"]) == MAX_BODY
    assert "the whole is in the run's artefact" in comment["body"]


def test_an_issue_is_opened_once_changed_and_closed(github):
    client = github.client()
    client.upsert_issue("flanstack prod drift", "prod differs", "one")
    client.upsert_issue("flanstack prod drift", "prod differs", "two")
    (issue,) = github.documents["issues"].values()
    assert issue["body"].endswith("two")

    assert client.close_issue("flanstack prod drift", "gone") == issue["html_url"]
    assert issue["state"] == "closed"
    assert client.close_issue("flanstack prod drift", "gone") == ""


def test_a_pull_request_is_no_issue(github):
    github.add("issues", body="<!-- flanstack prod drift -->", pull_request={})

    assert github.client().open_issue("flanstack prod drift") is None


@pytest.mark.parametrize("code", [403, 404, 500])
def test_a_refusal_is_told_with_github_s_words(github, code):
    github.refuse = code

    with pytest.raises(GithubError, match=f"answered {code}: .*no"):
        github.client().upsert_comment(7, MARKER, "x")


def test_a_github_that_is_not_there_is_an_error(github):
    client = github.client()
    with pytest.raises(GithubError, match="Connection refused"):
        type(client)("http://127.0.0.1:1", client.repository, client.token).upsert_comment(7, MARKER, "x")


def test_outside_of_a_workflow_nothing_is_written_to_github(capsys):
    assert program.main(["again", "prod", "1"]) == 1
    assert "GITHUB_API_URL is not set" in capsys.readouterr().err


def surroundings(github, tmp_path):
    return Surroundings.of(
        {
            "GITHUB_API_URL": github.url,
            "GITHUB_REPOSITORY": "acme/flan",
            "GITHUB_TOKEN": "t0ken",
            "GITHUB_SERVER_URL": "https://github.example",
            "GITHUB_RUN_ID": "77",
            "GITHUB_REF": "refs/heads/main",
            "GITHUB_OUTPUT": str(tmp_path / "output"),
            "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
        }
    )


def test_outputs_and_summaries_go_where_github_reads_them(github, tmp_path):
    here = surroundings(github, tmp_path)
    here.tell(seal="sha256:1", changes="true")
    here.summarise("# Plan")

    assert (tmp_path / "output").read_text() == "seal=sha256:1\nchanges=true\n"
    assert (tmp_path / "summary").read_text() == "# Plan\n"
    assert here.run_url == "https://github.example/acme/flan/actions/runs/77"


def test_the_next_round_is_started_a_few_times_and_then_left_to_people(github, tmp_path, capsys):
    jobs = Jobs(surroundings(github, tmp_path), env="prod", root=tmp_path)
    for number in (1, 5):
        jobs.again(number)

    assert github.dispatched == [{"ref": "refs/heads/main", "inputs": {"environment": "prod", "round": "2"}}]
    assert "Round 5 was the last" in capsys.readouterr().out


def saved(small, review="# Review"):
    """The folder of a plan, where jobs look for it."""
    small.plan()
    folder = small.checkout / ".flanstack" / "plans" / "small"
    folder.parent.mkdir(parents=True)
    small.folder.rename(folder)
    (folder / "review.md").write_text(review)
    (folder / "review.json").write_text('{"status": "fine"}')


@pytest.fixture
def jobs(github, small, tmp_path, monkeypatch):
    """On a plan that is there already: `make plan` itself is tests/e2e's."""
    saved(small)
    monkeypatch.setattr(Jobs, "_make_plan", lambda self, labels: (tmp_path / "labels").write_text(labels))
    monkeypatch.setattr(Jobs, "_synthesize", lambda self: small.synthesized)
    return Jobs(surroundings(github, tmp_path), env="small", root=small.checkout)


def test_a_plan_tells_the_next_job_its_seal_and_the_reviewer_what_it_says(jobs, tmp_path):
    made = jobs.plan()

    assert (tmp_path / "output").read_text() == f"seal={made.digest}\nchanges=true\nstatus=fine\n"
    assert "# Review" in (tmp_path / "summary").read_text()
    assert made.digest in (tmp_path / "summary").read_text()


def test_who_approves_on_main_is_told_whether_the_pull_request_has_shown_the_same(jobs, github, tmp_path):
    def told():
        (tmp_path / "summary").unlink(missing_ok=True)
        jobs.plan()
        return (tmp_path / "summary").read_text()

    assert "No pull request's review is known of this commit" in told()
    made = jobs.plan()
    jobs.comment(7)
    github.merged[made.commit] = 7
    assert "This is the review that pull request #7 has shown, to the letter." in told()
    assert (tmp_path / "labels").read_text() == "a,b"  # what they allowed is allowed here too
    (jobs.folder / "review.md").write_text("# Another review")
    assert "**This differs from what pull request #7 has shown: read it again.**" in told()


def test_a_pull_request_s_comment_has_the_review_the_seal_and_the_run(jobs, github):
    made = jobs.plan()
    jobs.comment(7)

    (comment,) = github.documents["comments"].values()
    for part in ("# Review", made.digest, made.commit, "actions/runs/77"):
        assert part in comment["body"]


def test_the_approved_seal_is_applied_and_another_round_asked_for(jobs, small, tmp_path):
    made = jobs.plan()
    done = jobs.apply(made.digest)

    assert done.applied == ("first",)
    assert (tmp_path / "output").read_text().endswith("more=true\n")
    assert small.held("first") == "1"


def test_a_late_approval_is_refused_when_the_branch_has_moved_on(jobs, github, small, git):
    made = jobs.plan()
    github.heads["heads/main"] = "0" * 40

    with pytest.raises(SealBroken, match="refs/heads/main is at 000"):
        jobs.apply(made.digest, tip="refs/heads/main")
    assert small.held("first") is None

    github.heads["heads/main"] = git(small.checkout, "rev-parse", "HEAD")
    assert jobs.apply(made.digest, tip="refs/heads/main").applied == ("first",)


def test_the_gate_is_shut_while_the_review_asks_for_a_person(jobs):
    (jobs.folder / "review.json").write_text('{"status": "fine", "verdict": "No changes."}')
    jobs.gate()
    (jobs.folder / "review.json").write_text('{"status": "needs approval", "verdict": "1 replaced"}')

    with pytest.raises(NeedsApproval, match="label of the pull request"):
        jobs.gate()


def test_a_plan_is_kept_in_a_bucket_and_fetched_as_it_was(jobs, project, monkeypatch):
    project.bucket(f"{project.name}-plans")
    monkeypatch.setattr("scripts.ci.jobs.load", lambda env: project.config)
    made = jobs.plan()
    for _ in range(2):  # the same again changes nothing
        jobs.keep(f"{project.name}-plans")
    (jobs.folder / "stray").write_text("of another run")

    jobs.fetch(f"{project.name}-plans", made.digest)

    assert jobs.apply(made.digest).applied == ("first",)
    with pytest.raises(SealBroken, match="has no plan with seal"):
        jobs.fetch(f"{project.name}-plans", f"sha256:{'0' * 64}")
    with pytest.raises(SealBroken, match="64 hexadecimal digits"):
        jobs.fetch(f"{project.name}-plans", "../../else")


def test_drift_opens_an_issue_and_its_end_closes_it(jobs, github, small):
    assert jobs.drift()
    (issue,) = github.documents["issues"].values()
    assert issue["title"] == "small: deployed and declared differ"
    assert "# Review" in issue["body"]

    folder = jobs.folder
    for path in folder.glob("*.json"):
        path.unlink()
    (folder / "plans.json").write_text('{"environment": "small", "stacks": [{"name": "first", "waits_for": []}]}')
    assert not jobs.drift()
    assert issue["state"] == "closed"
