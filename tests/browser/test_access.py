"""Who can use the page: by keyboard, in a narrow window, in dark mode, with a screen reader."""

from pathlib import Path

import pytest

AUDIT = Path(__file__).with_name("audit.js").read_text(encoding="utf-8")


def audit(visited):
    for scheme in ("light", "dark"):
        visited.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        assert visited.page.evaluate(AUDIT) == [], scheme


@pytest.mark.parametrize("width", [1280, 360])
def test_every_state_of_the_page_passes_the_audit(visit, serve, photos, wait_until, tmp_path, width):
    server = serve()
    here = visit(server.url, viewport={"width": width, "height": 740})
    here.expect_shown("#curve-jobs")
    audit(here)
    (tmp_path / "a_name_that_is_longer_than_any_window_is_wide_and_has_no_place_to_break.txt").write_bytes(b"none")
    here.page.set_input_files("#parentA", next(tmp_path.iterdir()))
    here.submit()
    here.expect_shown("#parentA-error", "#parentB-error")
    audit(here)
    here.choose(*photos)
    here.submit()
    here.expect_next_question(1, 1)
    audit(here)
    wait_until(server.service.idle)
    here.pass_time(1)
    here.expect_face()
    audit(here)
    here.context.set_offline(True)
    here.submit()
    here.pass_time(2)
    here.expect_shown("#problem", "#submit-again", "#heap-legend")
    audit(here)


def test_the_audit_finds_what_it_looks_for(visit, serve):
    here = visit(serve().url)
    here.expect_shown("#curve-jobs")
    here.page.evaluate(
        """() => {
          document.querySelector("h1").style.color = "#888";
          document.querySelector("label").remove();
          document.querySelector("#heap h2").id = "submit";
          document.querySelector("#face-title").replaceWith(document.createElement("h4"));
          document.querySelector("header").style.width = "3000px";
          document.querySelector("html").lang = "";
          document.querySelector("#submit").style.borderColor = "transparent";
          document.querySelector("svg").removeAttribute("aria-label");
        }"""
    )
    here.page.emulate_media(color_scheme="light")
    found = "\n".join(here.page.evaluate(AUDIT))
    for words in ("contrast of", "parentA>  has no name", "id is used twice", "headings go 1,2,4", "wide in a window",
                  "no language", "its border has", "<svg>  has no name", "refers to no heap-title"):  # fmt: skip
        assert words in found


def test_a_face_is_composed_by_keyboard_alone(visit, serve, photos, wait_until):
    server = serve()
    here = visit(server.url)
    keys = here.page.keyboard
    choosers = []  # listened for early: the browser must be told to hand them over before the first one opens
    here.page.on("filechooser", lambda chooser: choosers.append(chooser))  # noqa: PLW0108 - playwright marks it

    def focused():
        return here.page.evaluate("document.activeElement.id || document.activeElement.className")

    def tab():
        keys.press("Tab")
        ring = here.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert ring == "solid", f"{focused()} shows no focus"
        return focused()

    def choose(photo):
        keys.press("Space")
        wait_until(lambda: here.page.evaluate("true") and choosers)
        choosers.pop().set_files(photo)

    assert tab() == "skip"
    keys.press("Enter")
    assert tab() == "parentA"
    choose(photos[0])
    assert tab() == "parentB"
    choose(photos[1])
    here.expect_text("#words", "Ready to compose the face.")
    assert tab() == "submit"
    here.context.set_offline(True)
    keys.press("Enter")
    here.expect_shown("#problem")
    assert tab() == "submit-again"
    here.context.set_offline(False)
    keys.press("Enter")
    here.expect_next_question(1, 1)
    assert focused() == "stop"  # not lost with the button that was pressed
    wait_until(server.service.idle)
    here.pass_time(1)
    here.expect_face()
    wait_until(lambda: focused() == "download")
    with here.page.expect_download() as download:
        keys.press("Enter")
    assert Path(download.value.path()).read_bytes().startswith(b"\x89PNG")


def test_nothing_moves_for_those_who_asked_for_that(visit, serve, photos):
    here = visit(serve(service_time_s=3600).url)
    here.choose(*photos)
    here.submit()
    here.expect_shown("#stop")
    animations = "document.getAnimations({subtree: true}).length"
    here.page.emulate_media(reduced_motion="no-preference")
    assert here.page.evaluate(animations) == 1
    here.page.emulate_media(reduced_motion="reduce")
    assert here.page.evaluate(animations) == 0


def test_without_scripts_the_page_says_what_it_needs(visit, serve):
    here = visit(serve().url, load=False, java_script_enabled=False)
    here.page.goto(here.url)
    assert "This page needs JavaScript" in here.page.inner_text("noscript")


def test_the_policy_stops_what_is_not_the_pages_own(visit, serve, wait_until):
    here = visit(serve().url)
    here.page.evaluate(
        """async () => {
          globalThis.blocked = [];
          document.addEventListener("securitypolicyviolation", (event) => blocked.push(event.effectiveDirective));
          const script = document.createElement("img");
          script.src = "https://elsewhere.example/pixel.png";
          document.body.append(script);
          await fetch("https://elsewhere.example/").catch(() => {});
          try { document.body.insertAdjacentHTML("beforeend", "<b>x</b>"); } catch { blocked.push("markup"); }
        }"""
    )
    wait_until(lambda: {"img-src", "connect-src", "markup"} <= set(here.page.evaluate("blocked")))
    here.errors.clear()
    here.requests.clear()
