"""Jobs, chosen and acted on: one, those that are ticked, and all that match."""

import re

from playwright.sync_api import Page, expect


def _state_of(page: Page) -> str:
    return page.locator(".job-line .state").inner_text()


def test_a_job_that_was_discarded_is_retried_from_its_page(own_url: str, page: Page) -> None:
    page.goto(f"{own_url}/jobs?state=discarded")
    page.locator("main tbody tr a").first.click()
    expect(page.locator(".job-line")).to_contain_text("discarded")
    page.get_by_role("button", name="Retry").click()
    expect(page.get_by_role("status")).to_contain_text("was put back to run again")
    expect(page.locator(".job-line")).not_to_contain_text("discarded")


def test_jobs_that_are_ticked_are_retried_after_a_question_that_says_how_many(own_url: str, page: Page) -> None:
    page.goto(f"{own_url}/jobs?state=discarded")
    ids = [row.get_attribute("id") for row in page.locator("main tbody tr").all()[:2]]
    for id in ids:
        page.locator(f"#{id} input.choose").check()
    page.locator("#acting").get_by_role("button", name="Retry").click()
    expect(page.locator(".lead")).to_contain_text("2 jobs")
    page.get_by_role("button", name=re.compile("^Retry 2")).click()
    expect(page.get_by_role("status")).to_contain_text("2")
    for id in ids:
        expect(page.locator(f"#{id}")).to_have_count(0)


def test_all_that_match_are_cancelled_after_a_question_that_says_how_many(own_url: str, page: Page) -> None:
    page.goto(f"{own_url}/jobs?state=scheduled&task=mail.send_digest")
    page.get_by_role("region", name="All that match").get_by_role("button", name="Cancel all").click()
    expect(page.locator(".lead")).to_contain_text("60 jobs")
    page.get_by_label("Why").fill("the digest was called off")
    page.get_by_role("button", name=re.compile("^Cancel 60")).click()
    expect(page.get_by_role("status")).to_contain_text("60")
    page.goto(f"{own_url}/jobs?state=cancelled&task=mail.send_digest")
    expect(page.locator("main tbody tr").first).to_be_visible()


def test_a_question_can_be_left_alone(own_url: str, page: Page) -> None:
    page.goto(f"{own_url}/jobs?state=available&queue=mail")
    before = page.locator("main tbody tr").count()
    page.get_by_role("region", name="All that match").get_by_role("button", name="Cancel all").click()
    page.get_by_role("link", name="Leave them as they are").click()
    expect(page).to_have_url(re.compile("state=available"))
    expect(page.locator("main tbody tr")).to_have_count(before)


def test_a_filter_is_in_the_address(own_url: str, page: Page) -> None:
    page.goto(f"{own_url}/jobs")
    page.get_by_label("Task", exact=True).fill("billing.charge")
    page.get_by_role("button", name="Filter").click()
    expect(page).to_have_url(re.compile(r"task=billing\.charge"))
    for row in page.locator("main tbody tr td.name").all():
        expect(row).to_have_text("billing.charge")


def test_arguments_are_hidden_until_they_are_asked_for_and_what_is_secret_stays_so(own_url: str, page: Page) -> None:
    page.goto(f"{own_url}/jobs?task=billing.charge")
    page.locator("main tbody tr a").first.click()
    assert "tok_" not in page.content()
    page.get_by_role("link", name="Show them").click()
    expect(page.get_by_label("Arguments")).to_contain_text("card_token")
    assert "tok_" not in page.content()
